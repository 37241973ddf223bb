/** The end of a run: faults stop, everything is taken out, and every message must be accounted for. */

import { getEventListeners } from "node:events";
import { say, taken, waiting } from "./operations/receiving.mjs";
import { closeQueue } from "./operations/consuming.mjs";
import { OPERATIONS } from "./operations/index.mjs";

/** Messages that are delayed, leased or back off are waited for, so long in all. */
const WAIT_MAX_MS = 20 * 60_000;
/** Where clocks differ, the journal goes by the one that is ahead. */
const WAIT_SKEWED_MS = 4 * 3_600_000;
const ROUNDS_MAX = 2_000;

/** Steps that a disk may take in a quiet minute, beside those for what happens. */
/** Records that stay for those who are a little behind, those since the last snapshot, and what a clean-up leaves for the next. */
const RECORDS_MAX = 1_600;
const RECORDS_A_BYTE = 1 / 4096;
/** Bodies that nobody needs any more, until they are deleted; the newest steps stay, whatever their size. */
const GARBAGE_BYTES = 8 << 20;
const NEWEST_STEPS = 17;
const MESSAGE_BYTES = 512;

/** What a context may be told of its page. */
const TOLD = ["pagehide", "pageshow", "visibilitychange", "freeze", "resume", "online", "offline", "unload", "beforeunload"];

const IDLE_STEPS_MAX = 5_000;

export function account(lab) {
  const run = (ms) => {
    lab.scheduler.runUntil(lab.scheduler.now + ms, lab.over);
    return !lab.over();
  };
  if (!run(1) || !calm(lab, run)) return;
  const auditors = auditorsOf(lab);
  if (!run(100) || !drained(lab, auditors, run)) return;
  if (!run(120_000)) return;
  unsettled(lab);
  boundedAtRest(lab);
  for (const auditor of auditors) whereIsEverything(lab, auditor);
  if (lab.over()) return;
  for (const actor of living(lab)) for (const opened of [...actor.queues.values()]) closeQueue(lab, actor, opened);
  if (!run(60_000)) return;
  unsettled(lab);
  leftovers(lab);
}

const living = (lab) => [...lab.actors.values()].filter(({ gone }) => !gone);

/** No faults any more: whoever consumes stops, whoever waits is let go. */
function calm(lab, run) {
  lab.calm = true;
  const { world } = lab;
  Object.assign(world, { hintsLost: false, hintDelay: 0, portDelay: 0 });
  lab.disk?.calm();
  // Timers that were set while a page was hidden come once a minute.
  const held = living(lab).some(({ context }) => context.hidden) ? 60_000 : 0;
  for (const actor of living(lab)) {
    const { context } = actor;
    if (context.frozen) context.thaw();
    context.hidden = false;
    context.diesAt = Infinity;
    context.setClock(0, 1);
    lab.disturb(actor, true);
  }
  const { operations } = lab;
  const began = lab.scheduler.now;
  const steps = lab.disk?.steps ?? 0;
  // Who was kept from running goes on where it was.
  const busy = Math.max(0, ...living(lab).map(({ context }) => context.busyUntil - began));
  if (!run(busy + held + 40_000)) return false;
  const taken = (lab.disk?.steps ?? 0) - steps;
  if (taken > IDLE_STEPS_MAX + 10 * (lab.operations - operations)) lab.model.fail("spins", `${taken} steps were written in 40 s of quiet`);
  duplicatesThatWait(lab);
  lateForIdle(lab, began);
  for (const actor of living(lab)) {
    for (const consuming of actor.consumers.splice(0)) lab.follow(actor, "stop", consuming.opened, consuming.stop());
    for (const opened of actor.queues.values()) {
      for (const leave of opened.leaves?.splice(0) ?? []) leave();
      if (opened.reader && !opened.readerFailed) lab.follow(actor, "read cancel", opened, opened.reader.cancel());
    }
    for (const held of actor.held.splice(0)) if (!held.delivery.over) say(lab, actor, held, "ack");
  }
  return run(40_000);
}

/** In a quiet time, whoever consumes and has nothing to do has had everything that is due. */
function lateForIdle(lab, began) {
  for (const actor of living(lab)) {
    for (const { running, ended, opened: { model, closed } } of actor.consumers) {
      if (ended || closed || running.size || model.paused || actor.troubled || actor.context.busyUntil > began + 1000) continue;
      for (const message of lab.model.messages.values()) {
        if (message.home !== model || message.notBeforeAt > lab.scheduler.now - 1000) continue;
        if (lab.model.mustBeThere(message, model)) lab.model.fail("late", `${message.uid} is due, and ${actor.name} has nothing to do`);
      }
    }
  }
}

/** What is in the queue already needs no room. */
function duplicatesThatWait(lab) {
  for (const { what, message, before, actor } of lab.pending) {
    if (what !== "send" || !before || before.state !== "confirmed" || before.duplicateOf || actor.troubled) continue;
    const { home } = message;
    const window = (home.policy.deduplicationWindow ?? 300) * 1000;
    if (home.scope.troubled || home.scope.skewed || lab.scheduler.now - before.sentAt > window / 2) continue;
    lab.model.fail("duplicate-waits", `${message.uid} has the key of ${before.uid}, which is there, and waits`);
  }
}

/** Who takes everything out: each context whose memory has messages, or a new one at the disk. */
function auditorsOf(lab) {
  const { world } = lab.script;
  const auditors = lab.kind.disk ? [lab.start("audit")] : living(lab).filter((actor) => world === "memory" || actor === lab.host);
  for (const actor of auditors) {
    const { queues } = actor.scope;
    const letters = [...queues.values()].flatMap(({ dlq }) => dlq ?? []);
    for (const name of new Set([...queues.keys(), ...letters])) OPERATIONS.open.run(lab, actor, { q: name });
  }
  return auditors;
}

function drained(lab, auditors, run) {
  for (const { queues } of auditors) {
    for (const opened of queues.values()) lab.follow(opened.actor, "resume", opened, opened.queue.resume());
  }
  if (!run(10)) return false;
  inOrder(lab);
  const wait = auditors.some(({ scope }) => scope.skewed) ? WAIT_SKEWED_MS : WAIT_MAX_MS;
  const end = lab.scheduler.now + wait;
  let step = 100;
  for (let round = 0; round < ROUNDS_MAX && lab.scheduler.now < end; round += 1) {
    let got = 0;
    let left = 0;
    for (const actor of auditors) {
      for (const opened of actor.queues.values()) take(lab, actor, opened, (count) => (got += count), (backlog) => (left += backlog));
    }
    if (!run(got ? 20 : step)) return false;
    if (got) step = 100;
    else if (left === 0 && round > 1 && !lab.pending.size) return true;
    else step = Math.min(step * 1.5, 600_000);
    if (!got && left === 0 && step > 60_000) return true;
  }
  const backlogs = auditors.flatMap(({ queues }) => [...queues.values()].map(({ name, backlog }) => `${name} ${JSON.stringify(backlog)}`));
  lab.model.fail("stuck", `after ${wait / 60_000} minutes without a fault there is still: ${backlogs.join("; ")}`);
  return false;
}

/** From here on there is one who takes, of each queue. */
function inOrder(lab) {
  const waiting = new Map();
  for (const message of lab.model.messages.values()) {
    if (message.confirmedAt === undefined || !lab.model.isThere(message)) continue;
    const known = waiting.get(message.home);
    if (known) known.push(message);
    else waiting.set(message.home, [message]);
  }
  for (const [queue, messages] of waiting) queue.order.calm(messages.sort((one, other) => one.confirmedAt - other.confirmedAt));
}

function take(lab, actor, opened, tookSome, stillThere) {
  const asked = actor.context.wall();
  opened.model.calls += 1;
  waiting(opened, 1);
  lab.follow(actor, "receive", opened, opened.queue.receive({ max: 100 }), {
    failed: () => waiting(opened, -1),
    done: (messages) => {
      waiting(opened, -1, true);
      for (const held of taken(lab, opened, messages, asked, opened.model.leaseMs)) say(lab, actor, held, "ack");
      tookSome(messages.length);
      lab.follow(actor, "metrics", opened, opened.queue.metrics(), {
        done: (found) => {
          opened.backlog = found;
          lab.model.metrics(opened.model, found, 0);
          stillThere(found.backlogCount);
        },
      });
    },
  });
}

function unsettled(lab) {
  const { now } = lab.scheduler;
  for (const { actor, what, opened, at } of lab.pending) {
    lab.model.fail("hangs", `${actor.name} ${what} of ${opened?.name ?? "-"}, called ${Math.round(now - at)} ms ago, is not settled`);
  }
}

/** Nothing is held any more: what is kept does not grow with what was. */
function boundedAtRest(lab) {
  const { disk, script: { ops } } = lab;
  if (!disk) return;
  const { records, snapshot, bytes } = disk;
  const most = RECORDS_MAX + (snapshot?.bytes.length ?? 0) * RECORDS_A_BYTE;
  if (records?.size > most)
    lab.model.fail("kept", `${records.size} records are kept of empty queues, and ${Math.floor(most)} are the most`);
  const largest = Math.max(...ops.map(({ n = 1, size = 0 }) => n * (size + MESSAGE_BYTES)));
  const room = GARBAGE_BYTES + NEWEST_STEPS * largest;
  if (bytes > room) lab.model.fail("kept", `${bytes} bytes are kept of empty queues, and ${room} are the most`);
}

/** Every confirmed message has come to an end that is known. */
function whereIsEverything(lab, auditor) {
  const { scope } = auditor;
  if (scope.lossAt > -Infinity || scope.deletedAt > -Infinity) return;
  let lost = 0;
  for (const message of lab.model.messages.values()) {
    if (message.home.scope !== scope || message.state !== "confirmed" || message.duplicateOf || message.cancelled) continue;
    if (message.ackedBy || message.holder?.said === "ack" || message.holder?.said === "twice" || message.mayBeAcked) continue;
    if (!mayHaveEnded(message)) {
      return lab.model.fail("lost", `${message.uid}, confirmed for ${message.home.name}, is nowhere: ${seen(message)}`);
    }
    if (message.sentAt > scope.begunAt) lost += 1;
  }
  let counted = 0;
  for (const { backlog } of auditor.queues.values()) {
    if (!backlog) return;
    const { expired, overflow, purged, noDeadLetterQueue } = backlog.dropped;
    counted += expired + overflow + purged + noDeadLetterQueue;
  }
  if (lost > counted) lab.model.fail("uncounted", `${lost} messages ended without an ack, and ${counted} are counted`);
  wholeBatches(lab, scope);
}

const seen = ({ at, attempts, holder }) =>
  `seen last in ${at.name} at attempt ${attempts}${holder ? `, ${holder.context.name} said ${holder.said}` : ""}`;

/** Whether it may have ended by what is counted as a drop. */
function mayHaveEnded(message) {
  const { home, at, mayExpire, cancelAsked, deadAsked, attempts } = message;
  if (mayExpire || cancelAsked || drops(home) || drops(at)) return true;
  if (!deadAsked && attempts < at.tries && !at.mayHaveGone(message)) return false;
  // It may be a dead letter that nobody has seen, or have been one, and have been put into a queue that drops.
  const { queues, redrivenTo } = at.scope;
  const letters = queues.get(at.dlq);
  for (const name of redrivenTo) if (queues.has(name) && drops(queues.get(name))) return true;
  return at.dlq === undefined || at.keeps || letters !== undefined && drops(letters);
}

const drops = ({ purgedAt, policy: { overflow, messageRetention } }) =>
  purgedAt > -Infinity || overflow?.startsWith("drop") || messageRetention !== undefined;

function wholeBatches(lab, scope) {
  const known = new Set();
  for (const { batch, home } of lab.model.messages.values()) {
    if (!batch || known.has(batch) || home.scope !== scope) continue;
    known.add(batch);
    if (batch.messages[0].state !== "unknown") continue;
    const there = batch.messages.filter((message) => message.id !== undefined);
    const missing = batch.messages.filter((message) => message.id === undefined && !mayHaveEnded(message));
    if (there.length && missing.length) {
      lab.model.fail("batch", `a batch was cut: of ${batch.messages.length} are missing ${missing.length}, as ${missing[0].uid}`);
    }
  }
}

/** What is over must leave nothing behind. */
function leftovers(lab) {
  for (const actor of living(lab)) {
    const listening = actor.lasting ? getEventListeners(actor.lasting.signal, "abort").length : 0;
    if (listening) lab.model.fail("listeners", `${actor.name}: ${listening} listeners are left on a signal whose calls are over`);
    for (const type of TOLD) {
      const count = getEventListeners(actor.context.events, type).length;
      if (count) lab.model.fail("listeners", `${actor.name}: ${count} listeners for ${type} are left, though every queue is closed`);
    }
    const channels = lab.world.channels.open(actor.context);
    if (channels) lab.model.fail("channels", `${actor.name}: ${channels} channels are still open`);
    const tasks = lab.scheduler.of(actor.context);
    if (tasks) lab.model.fail("timers", `${actor.name}: ${tasks} timers still run a minute after every queue was closed`);
  }
  if (lab.disk?.open) lab.model.fail("stores", `${lab.disk.open} stores are still open, though every queue is closed`);
  const locks = lab.world.locks.count();
  if (locks) lab.model.fail("locks", `${locks} locks are still held or asked for`);
}
