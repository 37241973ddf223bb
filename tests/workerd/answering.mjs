/** A Worker that does what it is asked, by name with arguments as JSON, and answers with what comes of it. */

export const answering = (actions) => ({
  async fetch(request, env) {
    const [what, ...args] = await request.json();
    try {
      return Response.json((await actions[what](env, ...args)) ?? null);
    } catch (error) {
      return new Response(String(error?.stack ?? error), { status: 500 });
    }
  },
});
