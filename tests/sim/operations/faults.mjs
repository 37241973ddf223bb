/** What happens to contexts and to what they share. */

export const FAULTS = {
  start: {
    world: true,
    run(lab, _actor, op) {
      lab.start(op.actor, op.kind);
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
      lab.disturb(actor, false);
      context.freeze();
      lab.scheduler.at(lab.scheduler.now + op.ms, null, () => {
        lab.disturb(actor, false);
        context.thaw();
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
      lab.disturb(actor, true);
      if (lab.script.world !== "memory" || (op.rate ?? 1) !== 1) actor.scope.skewed = true;
      actor.context.setClock(op.jump ?? 0, op.rate ?? 1);
      actor.context.wall();
    },
  },

  hide: {
    fault: true,
    run(lab, actor, op) {
      lab.disturb(actor, false);
      actor.context.hidden = op.hidden ?? true;
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

  hints: {
    fault: true,
    run(lab, _actor, op) {
      lab.world.hintsLost = op.lost ?? false;
      lab.world.hintDelay = op.ms ?? 0;
    },
  },
};
