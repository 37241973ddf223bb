/** An event with a detail, also where the platform has no `CustomEvent`. */
export function detailEvent(type: string, detail: unknown): Event {
  return typeof CustomEvent === "function" ? new CustomEvent(type, { detail }) : Object.assign(new Event(type), { detail });
}
