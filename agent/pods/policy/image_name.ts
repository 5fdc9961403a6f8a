const LABEL = "[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?";
const HOST = `(?:${LABEL}(?:\\.${LABEL})*|\\[[a-fA-F0-9:]+\\])(?::[0-9]+)?`;
const PART = "[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*";
const PATH = `${PART}(?:/${PART})*`;
const TAG = "[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}";
const DIGEST = "[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}";
const HOST_ONLY = new RegExp(`^${HOST}$`);
const REST = new RegExp(`^(${PATH})(?::${TAG})?(?:@${DIGEST})?$`);
/** Characters of a name without tag and digest. */
const LONGEST = 255;

/**
 * The registry's host in the name of an image, `""` when it has none: a first part with a dot, a colon
 * or a capital letter, and `localhost`.
 */
export function hostIn(image: string): string {
  const slash = image.indexOf("/");
  const first = slash < 0 ? "" : image.slice(0, slash);
  const isHost = /[.:]/.test(first) || first === "localhost" || first !== first.toLowerCase();
  return isHost ? first : "";
}

/**
 * What is wrong with the name of an image, in a kubelet's words; `undefined` when nothing is. Pure. By
 * the grammar of references of the OCI distribution project.
 */
export function imageNameProblem(image: string): string | undefined {
  const problem = problemOf(image);
  return problem && `couldn't parse image name "${image}": ${problem}`;
}

function problemOf(image: string): string | undefined {
  const malformed = "invalid reference format";
  if (/^[0-9a-f]{64}$/.test(image)) {
    return `invalid repository name (${image}), cannot specify 64-byte hexadecimal strings`;
  }
  const host = hostIn(image);
  const rest = host === "" ? image : image.slice(host.length + 1);
  if (host !== "" && !HOST_ONLY.test(host)) return malformed;
  const repository = rest.split(/[:@]/, 1)[0] ?? "";
  if (repository !== repository.toLowerCase()) {
    const before = host !== "" ? `${host}/` : image.includes("/") ? "" : "library/";
    const whole = before + repository;
    return `${malformed}: repository name (${whole}) must be lowercase`;
  }
  if (!REST.test(rest)) return malformed;
  if (repository.length + host.length > LONGEST) {
    return "repository name must not be more than 255 characters";
  }
  return undefined;
}
