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
 * What is wrong with the name of an image, in a kubelet's words; `undefined` when nothing is. Pure. By
 * the grammar of references of the OCI distribution project: a first part with a dot, a colon or a
 * capital letter is the registry's host, and `localhost` is.
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
  const slash = image.indexOf("/");
  const first = slash < 0 ? "" : image.slice(0, slash);
  const isHost = first !== "" &&
    (/[.:]/.test(first) || first === "localhost" || first !== first.toLowerCase());
  const rest = isHost ? image.slice(slash + 1) : image;
  if (isHost && !HOST_ONLY.test(first)) return malformed;
  const repository = rest.split(/[:@]/, 1)[0] ?? "";
  if (repository !== repository.toLowerCase()) {
    const whole = isHost
      ? `${first}/${repository}`
      : slash < 0
      ? `library/${repository}`
      : repository;
    return `${malformed}: repository name (${whole}) must be lowercase`;
  }
  if (!REST.test(rest)) return malformed;
  if (repository.length + first.length > LONGEST) {
    return "repository name must not be more than 255 characters";
  }
  return undefined;
}
