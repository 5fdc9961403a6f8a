/** A real registry on loopback for tests: Debian's `docker-registry`. */
export {
  type Registry,
  REGISTRY_USER,
  type RegistryOptions,
  registryProblem,
  startRegistry,
} from "./kit.ts";
export type { ImageContent } from "./push.ts";
export { type SlowRegistry, startSlowRegistry } from "./slow.ts";
