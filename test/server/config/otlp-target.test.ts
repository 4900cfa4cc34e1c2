import { expect, it, test } from "vitest";
import { parseConfig } from "../../../src/server/config/config.ts";
import { otlpUrl } from "../../../src/server/config/otlp-target.ts";
import { settingsMessage } from "../../../src/server/config/settings-message.ts";
import { problems } from "./problems.ts";

const target = (text: string) => `traces: { otlp: ${text} }`;

function loaded(text: string) {
  const reading = parseConfig(text, { path: "b.yaml", overrides: [] });
  if (reading.kind === "invalid") throw new Error(JSON.stringify(reading.problems));
  return reading;
}

test.each([
  ["http://collector:4318", "http://collector:4318/v1/traces"],
  ["http://collector:4318/", "http://collector:4318/v1/traces"],
  ["https://vendor.example.com/otlp/spans?tenant=a", "https://vendor.example.com/otlp/spans?tenant=a"],
])("%s is sent spans at %s", (url, expected) => {
  expect(otlpUrl({ url }, "traces")).toBe(expected);
});

it.each<[string, string, string]>([
  ["no URL", "{}", "traces.otlp.url: must be an http or https URL, such as http://localhost:4318, found nothing"],
  ["another scheme", "{ url: 'grpc://a:4317' }", "must be an http or https URL, such as http://localhost:4318"],
  ["a port that is none", "{ url: 'http://a:99999' }", 'traces.otlp.url: must be a URL, found "http://a:99999"'],
  [
    "a user in the URL",
    "{ url: 'http://me:secret@a' }",
    "must have no user name and no password: say them in a header",
  ],
  [
    "a name twice",
    header("{ name: A, value: x }, { name: a, value: y }"),
    'must be a name of its own, found "a" again',
  ],
  ["a header of HTTP's", header("{ name: Content-Type, value: x }"), "must be no header of HTTP's, found"],
  ["no name", header("{ value: x }"), "must be the name of a header, such as authorization"],
  ["no value", header("{ name: a }"), "headers[0]: must have value or value_file, and not both"],
  ["two values", header("{ name: a, value: secret, value_file: f }"), "must have value or value_file, and not both"],
  ["a value of two lines", header('{ name: a, value: "secret\\nb: c" }'), "must be of printable ASCII characters"],
])("a receiver with %s is refused, and no secret is repeated", (_what, text, message) => {
  const [first, ...more] = problems(target(text));
  expect(first).toContain(message);
  expect(first).not.toContain("secret");
  expect(more).toEqual([]);
});

function header(text: string): string {
  return `{ url: 'http://a', headers: [${text}] }`;
}

it("a share that is none is refused", () => {
  expect(problems(`traces: { otlp: { url: "http://a" }, ratio: 1.5 }`)).toEqual([
    "b.yaml:1:38: traces.ratio: must be greater than or equal to 0 and less than or equal to 1, found 1.5",
  ]);
});

it("clients are shown everything but the values of headers", () => {
  const text = header("{ name: Api-Key, value: secret }, { name: b, value_file: /run/secrets/b }");
  const { traces } = settingsMessage(loaded(target(text)).settings);
  expect(traces?.otlp).toMatchObject({
    url: "http://a",
    headers: [
      { name: "api-key", value: "(withheld)", valueFile: "" },
      { name: "b", value: "", valueFile: "/run/secrets/b" },
    ],
  });
});

it("a share without a receiver is noted to have no effect", () => {
  expect(loaded("traces: { ratio: 0.5 }").notes).toMatchObject([{ field: "traces.ratio" }]);
});
