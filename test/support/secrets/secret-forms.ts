/** What a secret looks like, wherever it was made: a server's, a test's or a library's. */

export interface FoundSecret {
  readonly kind: string;
  /** Where it stands in its text. */
  readonly index: number;
  readonly length: number;
}

/** From what stands for itself to what is a guess by its length alone. */
const FORMS: readonly {
  readonly kind: string;
  readonly form: RegExp;
  readonly isOne?: (text: string, around: Around) => boolean;
}[] = [
  { kind: "a token of an operator", form: /bp_[a-z0-9][a-z0-9.-]*_[\w-]{43}/g },
  { kind: "a signed token", form: /eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{20,}/g },
  { kind: "a login", form: /__Host-backpressure=[^;\s"']{20,}/g },
  { kind: "a private key", form: /-----BEGIN [A-Z ]*PRIVATE KEY-----/g },
  // How the bytes of one begin: PKCS #8 of a curve, of RSA and of Ed25519, and SEC 1.
  { kind: "a private key", form: /AgEAM[A-Z]{2}GByqGSM49|IBADANBgkqhkiG9w0BAQ|MC4CAQAwBQYDK2Vw|MHcCAQEEI|MIGkAgEBBD/g },
  // 32 bytes in base64url: the secret of a lease or of a session, that of a token, the private number of a key. What is named a digest
  // is one: `h1:` of Go's modules, and those of npm and of SSH.
  { kind: "32 bytes that look random", form: /(?<![\w-]|h1:|sha256-|SHA256:)[\w-]{43}(?![\w-])/g, isOne: looksRandom },
];

/** What stands in a secret that has no run of so many characters of base64url. */
const LONG_RUN = 20;
const WITHOUT_LONG_RUN = ["PRIVATE KEY", "MHcCAQEEI", "MIGkAgEBBD"];

/** Names of that length are words: few of their letters are large, and few of them digits. A part of a line of PEM is none, either. */
function looksRandom(text: string, around: Around): boolean {
  const count = (letters: RegExp) => text.match(letters)?.length ?? 0;
  return count(/[A-Z]/g) >= 6 && count(/[a-z]/g) >= 6 && count(/[0-9]/g) >= 1 && !isInLineOfPem(around);
}

/** Where a finding begins and ends in its text. */
interface Around {
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

/** Characters of base64 in a line of PEM. A plus and a slash in it are ends to what is looked for. */
const PEM_LINE = 64;

function isInLineOfPem({ text, start, end }: Around): boolean {
  const before = /[A-Za-z0-9+/]*$/.exec(text.slice(Math.max(0, start - PEM_LINE), start))?.[0] ?? "";
  const after = /^[A-Za-z0-9+/=]*/.exec(text.slice(end, end + PEM_LINE))?.[0] ?? "";
  return !/[-_]/.test(text.slice(start, end)) && before.length + (end - start) + after.length >= PEM_LINE;
}

export function secretsIn(text: string): readonly FoundSecret[] {
  if (!mayHaveOne(text)) return [];
  return FORMS.flatMap(({ kind, form, isOne = () => true }) =>
    Array.from(text.matchAll(form), ({ 0: found, index }) => ({ kind, index, length: found.length })).filter(
      ({ index: start, length }) => isOne(text.slice(start, start + length), { text, start, end: start + length }),
    ),
  );
}

/** Whether to look closer: nearly no line of a log is worth it. A loop over its characters is far quicker than an expression. */
function mayHaveOne(text: string): boolean {
  let run = 0;
  for (let at = 0; at < text.length; at++) {
    run = IN_RUN[text.charCodeAt(at)] === 1 ? run + 1 : 0;
    if (run === LONG_RUN) return true;
  }
  return WITHOUT_LONG_RUN.some((part) => text.includes(part));
}

const IN_RUN = Uint8Array.from({ length: 128 }, (_, code) => (/[\w-]/.test(String.fromCharCode(code)) ? 1 : 0));

/** The text without its secrets. */
export function withoutSecrets(text: string): string {
  return secretsIn(text)
    .toSorted((a, b) => b.index - a.index)
    .reduce((left, { kind, index, length }) => `${left.slice(0, index)}<${kind}>${left.slice(index + length)}`, text);
}
