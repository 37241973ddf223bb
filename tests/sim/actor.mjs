/** Who does what a script says. */

/** A context of the script, and what its code holds. */
export class Actor {
  queues = new Map();
  held = [];
  consumers = [];
  ids = [];
  readers = [];

  constructor(lab, name, context, scope) {
    this.lab = lab;
    this.name = name;
    this.context = context;
    this.scope = scope;
  }

  get gone() {
    return this.context.dead;
  }
}

/** A queue that an actor has open. */
export class Opened {
  closed = false;
  /** Closed, it waits for its handlers until then; what they still have goes back. */
  backAt = Infinity;
  over = false;
  served = false;

  constructor(actor, name, queue, model) {
    this.actor = actor;
    this.name = name;
    this.queue = queue;
    this.model = model;
  }
}
