import { z } from "zod";
import { AppError, type Clock, seconds } from "../../core/base/mod.ts";
import { DEFAULT_LIMITS, type ExtraRoute, jsonResponse, readJson } from "../../core/http/mod.ts";
import { type Tokens, viewOfToken } from "../../core/tokens/mod.ts";

const PATH = "/skerry/v1/tokens";
const ACCESS = { kind: "authorized" } as const;

const CreateRequest = z.strictObject({
  node: z.string().min(1),
  ttlSeconds: z.number().int().positive().optional(),
  uses: z.number().int().positive().optional(),
  replace: z.boolean().optional(),
});

/** `skerry token create|list|revoke` as routes of the hub's API. Only for who may write at the hub. */
export function tokenRoutes(tokens: Tokens, clock: Clock): ExtraRoute[] {
  return [
    {
      method: "POST",
      path: PATH,
      access: ACCESS,
      async handle({ request }) {
        const parsed = CreateRequest.safeParse(await readJson(request, DEFAULT_LIMITS));
        if (!parsed.success) {
          const issue = parsed.error.issues[0];
          throw new AppError("BadRequest", `${issue?.path.join(".") || "body"}: ${issue?.message}`);
        }
        const { node, ttlSeconds, uses, replace } = parsed.data;
        const { text, info } = await tokens.create({
          node,
          ...(ttlSeconds === undefined ? {} : { ttl: seconds(ttlSeconds) }),
          ...(uses === undefined ? {} : { uses }),
          ...(replace === undefined ? {} : { replace }),
        });
        return jsonResponse({ token: text, ...viewOfToken(info, clock.now()) }, 201);
      },
    },
    {
      method: "GET",
      path: PATH,
      access: ACCESS,
      async handle() {
        const items = (await tokens.list()).map((info) => viewOfToken(info, clock.now()));
        return jsonResponse({ items });
      },
    },
    {
      method: "DELETE",
      path: `${PATH}/*`,
      access: ACCESS,
      async handle({ url }) {
        await tokens.revoke(decodeURIComponent(url.pathname.slice(PATH.length + 1)));
        return jsonResponse({});
      },
    },
  ];
}
