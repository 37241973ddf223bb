/** What happens to contexts and to what they share. */

import { Random, mix } from "../world/random.mjs";
import { altered } from "./forging.mjs";

/** Something that begins as our frames do, and goes on as it likes. */
function forged(random) {
  const frame = Float64Array.from({ length: random.pick([0, 3, 6, 16, 26]) }, () => random.pick([0, 0, 0, 1, -1, 0.5, NaN, random.bits()]));
  if (frame.length && random.chance(0.5)) frame[0] = 0x7068 + random.whole(0, 4) * 2 ** 16;
  if (frame.length > 5 && random.chance(0.5)) frame.set([(frame.length - 6) / 10, 0], 4);
  const odd = () => random.pick([undefined, null, 7, "text", [], [1, 2], { length: 3 }, frame, new Uint8Array(40)]);
  return random.chance(0.7) ? ["posthaste", random.whole(0, 3), frame, [], []] : ["posthaste", odd(), odd(), odd(), odd()];
}

export const FAULTS = {
  start: {
    world: true,
    run(lab, _actor, op) {
      lab.start(op.actor, op.kind, op.clock);
      lab.count("start ok");
    },
  },

  /** Dies at once, or at its next look but `looks` at the platform. */
  kill: {
    fault: true,
    run(lab, actor, op) {
      if (op.looks) actor.context.diesAt = actor.context.looks + op.looks;
      else actor.context.die();
    },
  },

  freeze: {
    fault: true,
    run(lab, actor, op) {
      const { context } = actor;
      if (context.frozen) return;
      lab.disturb(actor, false, op.ms);
      context.freeze();
      lab.scheduler.at(lab.scheduler.now + op.ms, null, () => {
        lab.disturb(actor, false);
        context.thaw();
      });
    },
  },

  /** The page is left: for good, or it is kept as it is, and shown again after `ms`. */
  leave: {
    fault: true,
    run(lab, actor, op) {
      const { context } = actor;
      if (context.kind !== "page" || context.frozen) return;
      lab.disturb(actor, true, op.ms);
      // Whoever leaves gives back what it has, where it can be told that it does.
      if (lab.kind.disk === "indexeddb") context.cutAt = lab.scheduler.now;
      const told = (type) => context.globals.dispatchEvent(Object.assign(new Event(type), { persisted: op.ms !== undefined }));
      told("pagehide");
      lab.scheduler.at(lab.scheduler.now, null, () => {
        if (op.ms === undefined) return context.die();
        context.freeze();
        lab.scheduler.at(lab.scheduler.now + op.ms, null, () => {
          lab.disturb(actor, true);
          context.thaw();
          context.task(0, () => told("pageshow"));
        });
      });
    },
  },

  block: {
    fault: true,
    run(lab, actor, op) {
      actor.context.block(op.ms);
      lab.disturb(actor, false);
    },
  },

  clock: {
    fault: true,
    run(lab, actor, op) {
      // Contexts of one machine have one clock, unless their script says otherwise.
      const shared = lab.script.world !== "memory";
      const all = shared && op.all ? [...lab.actors.values()].filter(({ gone }) => !gone) : [actor];
      if (shared && !op.all || (op.rate ?? 1) !== 1) actor.scope.skewed = true;
      actor.scope.clockSet = true;
      // What timers add while the clock is behind comes on top.
      if (op.jump < 0) actor.scope.behindUntil = Math.max(actor.scope.behindUntil, lab.scheduler.now) - 2 * op.jump;
      if (op.all) lab.world.clockOff += op.jump ?? 0;
      for (const one of all) {
        lab.disturb(one, true);
        one.context.setClock(op.jump ?? 0, op.rate ?? 1);
        one.context.wall();
      }
    },
  },

  hide: {
    fault: true,
    run(lab, actor, op) {
      lab.disturb(actor, false);
      actor.context.hidden = op.hidden ?? true;
      actor.context.slow = true;
      lab.world.slowed = true;
      if (actor.context.kind !== "page") { for (const queue of actor.scope.queues.values()) queue.lapses = true; }
    },
  },

  /** The next operations of the storage in this context are late, or fail. */
  disk: {
    fault: true,
    run(lab, actor, op) {
      if (!lab.disk) return;
      lab.disturb(actor, true);
      if (op.when) actor.scope.troubled = true;
      lab.disk.plan(actor.context, op.what, { ms: op.ms ?? 0, when: op.when }, op.n ?? 1);
    },
  },

  /** So many bytes fit on the disk beside what is there. */
  room: {
    fault: true,
    run(lab, actor, op) {
      if (!lab.disk) return;
      lab.disturb(actor, true);
      actor.scope.troubled = true;
      lab.disk.room = op.bytes === Infinity ? Infinity : lab.disk.bytes + op.bytes;
    },
  },

  lose: {
    fault: true,
    run(lab, actor) {
      if (!lab.disk) return;
      lab.disturb(actor, true);
      Object.assign(actor.scope, { troubled: true, lossAt: lab.scheduler.now });
      lab.disk.lose();
    },
  },

  /** A copy of the disk is kept, for `restore`. */
  keep: {
    fault: true,
    run(lab) {
      lab.disk?.copy();
    },
  },

  /** The copy stands in the disk's place: what came since is gone, and what was over is there again. */
  restore: {
    fault: true,
    run(lab, actor) {
      if (!lab.disk?.restore()) return;
      lab.disturb(actor, true);
      Object.assign(actor.scope, { troubled: true, lossAt: lab.scheduler.now, redriven: true });
      for (const message of lab.model.messages.values()) message.wild = true;
      for (const queue of actor.scope.queues.values()) queue.order.crowded(Infinity);
    },
  },

  /** The browser closes every connection to its databases. */
  disconnect: {
    fault: true,
    run(lab, actor) {
      if (!lab.disk?.disconnect) return;
      lab.disturb(actor, true);
      actor.scope.troubled = true;
      lab.disk.disconnect();
    },
  },

  /** The connection of the actor's port breaks. */
  cut: {
    fault: true,
    run(lab, actor) {
      if (!actor.port) return;
      actor.troubled = true;
      actor.context.cutAt = lab.scheduler.now;
      lab.disturb(actor, true);
      actor.port.cut();
    },
  },

  /** Frames come over the actor's port that nobody of ours has made; with `as`, the next of ours are changed on their way. */
  forge: {
    fault: true,
    run(lab, actor, op) {
      if (!actor.port) return;
      actor.troubled = true;
      actor.context.cutAt = Infinity;
      actor.flipped ||= op.as === "flip";
      lab.disturb(actor, true);
      const random = new Random(mix(op.seed, 3));
      const from = op.toClient ? actor.hostPort : actor.port;
      if (op.as) return from.tampers.push(altered(lab, op, random));
      for (let at = 0; at < (op.n ?? 1); at += 1) from.postMessage(forged(random));
    },
  },

  ports: {
    fault: true,
    run(lab, _actor, op) {
      if (op.ms > 3) { for (const scope of lab.model.scopes.values()) Object.assign(scope, { late: true, skewed: true }); }
      lab.world.portDelay = op.ms ?? 0;
      for (const scope of lab.model.scopes.values()) for (const queue of scope.queues.values()) queue.delayed(lab.world.portDelay);
    },
  },

  hints: {
    fault: true,
    run(lab, _actor, op) {
      lab.world.hintsMissed = true;
      lab.world.hintsLost = op.lost ?? false;
      lab.world.hintDelay = op.ms ?? 0;
    },
  },
};
