// The chart: one canvas, drawn by hand. Above, what waits (area) and what is in flight (line); below, what was done
// (up) and what failed (down) each half second. Time runs smoothly from right to left; scales ease to their new top.

const SPAN_MS = 60_000;
const LATE_MS = 350; // drawn a little late, so that a new sample comes in from beyond the edge
const SLOT_MS = 500;
const FRAME_MS = 28; // time moves a fifth of a pixel in it: more frames would show nothing more
const LEFT = 46;
const TOP = 20;
const BOTTOM = 18;
const SHARE = 0.58; // of the height, for the upper band
const calm = matchMedia("(prefers-reduced-motion: reduce)");

/** Draws on `canvas` whatever history `show` was last given. */
export class Chart {
  #canvas;
  #context;
  #history;
  #colours = {};
  #scale = { depth: 8, rate: 8 };
  #drawn = 0;

  constructor(canvas, history) {
    this.#canvas = canvas;
    this.#context = canvas.getContext("2d");
    this.#history = history;
    this.recolour();
    new ResizeObserver(() => {
      this.recolour();
      this.#draw(true);
    }).observe(canvas);
    const frame = (now) => {
      requestAnimationFrame(frame);
      if (now - this.#drawn >= (calm.matches ? 1000 : FRAME_MS)) this.#draw(false);
    };
    requestAnimationFrame(frame);
  }

  show(history) {
    this.#history = history;
    this.#draw(true);
  }

  /** Takes the colours of the theme: canvas knows no custom properties, so they are read off an element. */
  recolour() {
    const probe = document.createElement("i");
    this.#canvas.after(probe);
    for (const name of ["waiting", "leased", "done", "dead", "ink", "muted", "line"]) {
      probe.style.color = `var(--${name})`;
      this.#colours[name] = getComputedStyle(probe).color;
    }
    const { fontSize, fontFamily } = getComputedStyle(this.#canvas);
    this.#colours.font = `${fontSize} ${fontFamily}`;
    probe.remove();
  }

  #draw(jump) {
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    if (width === 0 || document.hidden) return;
    this.#drawn = performance.now();
    const ratio = devicePixelRatio || 1;
    if (this.#canvas.width !== Math.round(width * ratio) || this.#canvas.height !== Math.round(height * ratio)) {
      this.#canvas.width = Math.round(width * ratio);
      this.#canvas.height = Math.round(height * ratio);
    }
    const context = this.#context;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    context.font = this.#colours.font;
    const now = Date.now() - LATE_MS;
    const plot = { now, left: LEFT, right: width, x: (at) => width - ((now - at) / SPAN_MS) * (width - LEFT) };
    const upper = { top: TOP, bottom: TOP + (height - TOP - BOTTOM) * SHARE };
    const lower = { top: upper.bottom + 18, bottom: height - BOTTOM };
    this.#ease(now, jump);
    this.#grid(plot, upper, lower, height);
    context.save();
    context.beginPath();
    context.rect(plot.left, 0, width - plot.left, height);
    context.clip();
    this.#depth(plot, upper);
    this.#rates(plot, lower);
    this.#marks(plot, upper, lower);
    context.restore();
  }

  /** Moves both scales towards a round number above what is in sight. */
  #ease(now, jump) {
    let depth = 4;
    for (const sample of this.#history.samples) {
      if (sample.at > now - SPAN_MS - 1000) depth = Math.max(depth, sample.waiting, sample.leased);
    }
    const rates = [...this.#history.slots("done", SLOT_MS).values(), ...this.#history.slots("failed", SLOT_MS).values()];
    const rate = Math.max(4, ...rates.map((count) => (count * 1000) / SLOT_MS));
    const pace = jump || calm.matches ? 1 : 0.12;
    this.#scale.depth += (round(depth) - this.#scale.depth) * pace;
    this.#scale.rate += (round(rate) - this.#scale.rate) * pace;
  }

  #grid({ left, right }, upper, lower, height) {
    const context = this.#context;
    context.fillStyle = this.#colours.muted;
    context.strokeStyle = this.#colours.line;
    context.lineWidth = 1;
    context.textBaseline = "middle";
    for (const share of [0, 0.5, 1]) {
      const y = Math.round(upper.bottom - share * (upper.bottom - upper.top)) + 0.5;
      line(context, left, y, right, y);
      context.textAlign = "right";
      context.fillText(short(this.#scale.depth * share), left - 8, y);
    }
    const zero = Math.round(lower.top + (lower.bottom - lower.top) * 0.7) + 0.5;
    line(context, left, zero, right, zero);
    context.fillText(`${short(this.#scale.rate)}/s`, left - 8, lower.top + 2);
    context.fillText("0", left - 8, zero);
    context.textBaseline = "alphabetic";
    for (const seconds of [60, 45, 30, 15, 0]) {
      const x = right - (seconds / 60) * (right - left);
      context.textAlign = seconds === 60 ? "left" : seconds === 0 ? "right" : "center";
      context.fillText(seconds === 0 ? "now" : `${seconds} s`, x, height - 3);
    }
  }

  #depth({ x, now }, { top, bottom }) {
    const context = this.#context;
    const y = (value) => bottom - (value / this.#scale.depth) * (bottom - top);
    const samples = this.#history.samples.filter((sample) => sample.at > now - SPAN_MS - 2000);
    for (const part of unbroken(samples)) {
      trace(context, part, x, (sample) => y(sample.waiting));
      const path = new Path2D();
      path.moveTo(x(part[0].at), bottom);
      for (const sample of part) path.lineTo(x(sample.at), y(sample.waiting));
      path.lineTo(x(part.at(-1).at), bottom);
      const fade = context.createLinearGradient(0, top, 0, bottom);
      fade.addColorStop(0, withAlpha(this.#colours.waiting, 0.5));
      fade.addColorStop(1, withAlpha(this.#colours.waiting, 0.1));
      context.fillStyle = fade;
      context.fill(path);
      context.strokeStyle = this.#colours.waiting;
      context.lineWidth = 1.75;
      context.stroke();
      trace(context, part, x, (sample) => y(sample.leased));
      context.strokeStyle = this.#colours.leased;
      context.lineWidth = 2.25;
      context.stroke();
    }
  }

  #rates({ x, now, left }, { top, bottom }) {
    const context = this.#context;
    const zero = top + (bottom - top) * 0.7;
    const width = Math.max(1.5, (x(SLOT_MS) - x(0)) - 1.5);
    const bars = (name, colour, reach) => {
      context.fillStyle = colour;
      for (const [slot, count] of this.#history.slots(name, SLOT_MS)) {
        const at = x(slot * SLOT_MS);
        if (at < left - width || slot * SLOT_MS > now + SLOT_MS) continue;
        const size = Math.max(1.5, ((count * 1000) / SLOT_MS / this.#scale.rate) * Math.abs(reach));
        context.fillRect(at, reach > 0 ? zero - size : zero + 1, width, Math.min(size, Math.abs(reach)));
      }
    };
    bars("done", this.#colours.done, zero - top);
    bars("failed", this.#colours.dead, -(bottom - zero - 1));
  }

  #marks({ x, right, now }, upper, lower) {
    const context = this.#context;
    context.textBaseline = "alphabetic";
    context.setLineDash([2, 3]);
    context.strokeStyle = this.#colours.muted;
    context.fillStyle = this.#colours.ink;
    let free = -Infinity;
    for (const { at, text } of this.#history.marks) {
      if (at > now) continue;
      const left = Math.round(x(at)) + 0.5;
      line(context, left, upper.top - 6, left, lower.bottom);
      const size = context.measureText(text).width;
      const start = Math.min(left + 4, right - size - 2);
      if (start < free) continue;
      context.textAlign = "left";
      context.fillText(text, start, upper.top - 8);
      free = start + size + 10;
    }
    context.setLineDash([]);
  }
}

/** Runs of samples with no gap between them; a gap is a time when this page was not there. */
function unbroken(samples) {
  const parts = [];
  for (const sample of samples) {
    const part = parts.at(-1);
    if (part && sample.at - part.at(-1).at < 4000) part.push(sample);
    else parts.push([sample]);
  }
  return parts;
}

function trace(context, samples, x, y) {
  context.beginPath();
  for (const sample of samples) context.lineTo(x(sample.at), y(sample));
}

function line(context, x1, y1, x2, y2) {
  context.beginPath();
  context.moveTo(x1, y1);
  context.lineTo(x2, y2);
  context.stroke();
}

/** The next of 4, 8, 10, 20, 40, 50, 100, … at or above `value`, so that half of it is a plain number too. */
function round(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 4, 5, 8, 10].map((step) => step * power).find((top) => top >= value) ?? 10 * power;
}

function short(value) {
  if (value >= 10_000) return `${Math.round(value / 1000)}k`;
  if (value >= 1000) return `${(value / 1000).toFixed(1).replace(/\.0$/, "")}k`;
  return String(Math.round(value));
}

function withAlpha(colour, alpha) {
  return colour.replace(/^rgba?\(([^,/)]+)[, ]+([^,/)]+)[, ]+([^,/)]+).*\)$/, `rgba($1, $2, $3, ${alpha})`);
}
