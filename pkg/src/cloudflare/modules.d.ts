/** The modules that the runtime brings; users have Cloudflare's own declarations of them. */

declare module "cloudflare:workers" {
  export abstract class DurableObject<Env = unknown> {
    protected ctx: { readonly storage: import("./platform").ObjectStorage };
    protected env: Env;
    constructor(ctx: any, env: Env);
  }
}
