import { noSuchPath } from "../status.ts";
import type { RequestContext } from "../types.ts";
export function openApi(_context: RequestContext): Response {
  throw noSuchPath();
}
