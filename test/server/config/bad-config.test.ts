// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the file writes its variables like this.
import { describe, expect, it } from "vitest";
import { SETTABLE_FIELDS } from "../../support/limiter-fields.ts";
import { problems } from "./problems.ts";

const LEVELS = "must be one of debug, info, warn, error";
const ADDRESS = "must be host:port, such as 127.0.0.1:50051, 0.0.0.0:50051 or [::1]:50051";
const NAME = "must be letters, digits and . _ - /, beginning and ending with a letter or digit";
const RATE = "must be from one token in 30 days to 10,000,000 a second";
const COUNT = "must be a whole number from 1 to 1,000,000";
const LIMITER_FIELDS = SETTABLE_FIELDS.join(", ");

describe("a bad file is refused with all that is wrong, and where", () => {
  it.each<[string, string, readonly string[]]>([
    ["no mapping, but text", "hello", ['b.yaml:1:1: must be a mapping of fields, found "hello"']],
    ["no mapping, but a list", "- a\n", ["b.yaml:1:1: must be a mapping of fields, found a list"]],
    [
      "no such section",
      "quotas: []\n",
      [
        "b.yaml:1:1: quotas: no such field; there are listeners, limits, liveness, drain, limiters, boards, logging, store, workers, traces, metrics, access, bounds, audit, tls, auth, allow_anonymous",
      ],
    ],
    ["a section in the wrong form", "limits: 5\n", ["b.yaml:1:1: limits: must be a mapping of fields, found 5"]],
    ["a list in the wrong form", "limiters: {}\n", ["b.yaml:1:1: limiters: must be a list, found a mapping"]],
    [
      "a misspelt field, and nothing that follows from it",
      "limiters:\n  - nmae: a\n    max_rsp: 5\n",
      [
        "b.yaml:2:5: limiters[0].nmae: no such field; did you mean name?",
        "b.yaml:3:5: limiters[0].max_rsp: no such field; did you mean max_rps?",
      ],
    ],
    [
      "several things in one limiter",
      "limiters:\n- {name: 1, max_rps: 2e7, max_wiat: 5s, ttl: 1}\n",
      [
        "b.yaml:2:4: limiters[0].name: must be text: put it in quotes, found 1",
        `b.yaml:2:13: limiters[0].max_rps: ${RATE}, found 2e7`,
        "b.yaml:2:27: limiters[0].max_wiat: no such field; did you mean max_wait?",
        "b.yaml:2:41: limiters[0].ttl: must be a duration with its unit such as 10s, 250ms or 1m30s (write 1s, or 1ms), found 1",
      ],
    ],
    [
      "a field that is like no other",
      "limiters: [{name: a, max_rps: 5, quota: 7}]",
      [`b.yaml:1:34: limiters[0].quota: no such field; there are ${LIMITER_FIELDS}`],
    ],
    [
      "a field that a terminal should not see",
      '{"\\e[31m": 1}',
      [
        'b.yaml:1:2: "\\u001b[31m": no such field; there are listeners, limits, liveness, drain, limiters, boards, logging, store, workers, traces, metrics, access, bounds, audit, tls, auth, allow_anonymous',
      ],
    ],
    [
      "a field for output",
      "limiters: [{name: a, max_rps: 5, etag: x, status: {}}]",
      [
        "b.yaml:1:34: limiters[0].etag: says how a limiter stands, and cannot be declared",
        "b.yaml:1:43: limiters[0].status: says how a limiter stands, and cannot be declared",
      ],
    ],
    [
      "a field given twice, once in each spelling",
      "limits:\n  max_waiters: 1\n  maxWaiters: 2\n",
      ["b.yaml:3:3: limits.max_waiters: is given twice, first on line 2"],
    ],
    [
      "a list given twice in one document",
      "limiters: []\nlimiters: []\n",
      ["b.yaml:2:1: limiters: is given twice, first on line 1"],
    ],
    [
      "a second document",
      "drain: {timeout: 1s}\n---\nlogging: {level: info}\n---\nlimits: {}\n",
      [
        "b.yaml:3:1: begins a second document, after that of line 1; a configuration is one document: take the line --- " +
          "between them out, and give each section once",
      ],
    ],
    [
      "durations without a unit, in words, negative, and empty",
      "liveness:\n  keepalive_time: 10\n  keepalive_timeout: 5 minutes\n  heartbeat: -5s\ndrain:\n  timeout:\n",
      [
        "b.yaml:2:3: liveness.keepalive_time: must be a duration with its unit such as 10s, 250ms or 1m30s (write 10s, or 10ms), found 10",
        'b.yaml:3:3: liveness.keepalive_timeout: must be a duration such as 10s, 250ms or 1m30s (write 5m), found "5 minutes"',
        'b.yaml:4:3: liveness.heartbeat: must be a duration such as 10s, 250ms or 1m30s (it cannot be negative), found "-5s"',
        "b.yaml:6:3: drain.timeout: must be a duration such as 10s, 250ms or 1m30s, found nothing",
      ],
    ],
    [
      "durations out of bounds",
      "liveness: {heartbeat: 99ms}\ndrain: {timeout: 99999999999999999h}\nlimiters: [{name: a, max_rps: 5, ttl: 50ms}]\n",
      [
        'b.yaml:1:12: liveness.heartbeat: must be greater than or equal to 0.100s and less than or equal to 3600s, found "99ms"',
        "b.yaml:2:9: drain.timeout: must be greater than or equal to 0s and less than or equal to 3600s, " +
          'found "99999999999999999h"',
        'b.yaml:3:34: limiters[0].ttl: must be 0s, or at least 0.1s, found "50ms"',
      ],
    ],
    [
      "whole numbers that are none, or out of bounds",
      "limits:\n  max_waiters: many\n  max_connections: 1.5\n  max_message_bytes: 1023\n  max_metadata_bytes: 1e400\n  max_streams_per_connection: '5'\n",
      [
        `b.yaml:2:3: limits.max_waiters: ${COUNT}, found "many"`,
        "b.yaml:3:3: limits.max_connections: must be a whole number from 1 to 100,000, found 1.5",
        "b.yaml:4:3: limits.max_message_bytes: must be a whole number from 1,024 to 16,777,216, found 1023",
        "b.yaml:5:3: limits.max_metadata_bytes: must be a whole number from 1,024 to 65,536, found 1e400",
        'b.yaml:6:3: limits.max_streams_per_connection: must be a whole number from 1 to 1,000, found "5"',
      ],
    ],
    [
      "rates",
      "limiters:\n- {name: a, max_rps: fast}\n- {name: b, max_rps: 0}\n- {name: c, max_rps: .nan}\n- {name: d, max_rps: 10000001}\n- {name: e, max_rps: [5]}\n",
      [
        'b.yaml:2:13: limiters[0].max_rps: must be a number, found "fast"',
        `b.yaml:3:13: limiters[1].max_rps: ${RATE}, found 0`,
        "b.yaml:4:13: limiters[2].max_rps: must be a number, found .nan",
        `b.yaml:5:13: limiters[3].max_rps: ${RATE}, found 10000001`,
        "b.yaml:6:13: limiters[4].max_rps: must be a number, found a list",
      ],
    ],
    [
      "amounts per period",
      "limiters:\n- {name: a, rate: 50}\n- {name: b, rate: 10/fortnight}\n- {name: c, rate: 1/31d}\n- {name: d, rate: 0.5/s}\n" +
        "- {name: e, rate: {tokens: 10}}\n- {name: f, rate: {tokens: 10, per: 60}}\n- {name: g, rate: [5]}\n" +
        "- {name: h, rate: 5/s, max_rps: 6}\n- {name: i, max_concurrent: 1, rate: }\n",
      [
        "b.yaml:2:13: limiters[0].rate: must be an amount per period, such as 10/m, 50/d, 100/s or 5/2h: it lacks its " +
          "period, write 50/s, found 50",
        "b.yaml:3:13: limiters[1].rate: must have a period in us, ms, s, m, h, d, w, month (30 days) or y (365 days), " +
          'not in "fortnight", found "10/fortnight"',
        `b.yaml:4:13: limiters[2].rate: ${RATE}, found "1/31d"`,
        "b.yaml:5:13: limiters[3].rate: must be a whole amount per period, such as 10/m, 50/d, 100/s or 5/2h; half a " +
          'token a second is 1/2s, found "0.5/s"',
        "b.yaml:6:13: limiters[4].rate.per: value is required, found nothing",
        "b.yaml:7:32: limiters[5].rate.per: must be a duration with its unit such as 10s, 250ms or 1m30s (write 60s, or 60ms), found 60",
        "b.yaml:8:13: limiters[6].rate: must be an amount per period, such as 10/m, 50/d or {tokens: 10, per: 60s}, found a list",
        "b.yaml:9:24: limiters[7].max_rps: is another rate than `rate`: give one of the two, found 6",
        "b.yaml:10:32: limiters[8].rate: must be an amount per period, such as 10/m, 50/d or {tokens: 10, per: 60s}, found nothing",
      ],
    ],
    [
      "names",
      "limiters:\n- max_rps: 5\n- {name: 12, max_rps: 5}\n- {name: a b, max_rps: 5}\n- {name: a, max_rps: 5}\n- {name: a, max_rps: 0}\n- text\n-\n",
      [
        `b.yaml:2:3: limiters[0].name: ${NAME}, found nothing`,
        "b.yaml:3:4: limiters[1].name: must be text: put it in quotes, found 12",
        `b.yaml:4:4: limiters[2].name: ${NAME}, found "a b"`,
        "b.yaml:6:4: limiters[4].name: must be a name of its own, found that of line 5",
        `b.yaml:6:13: limiters[4].max_rps: ${RATE}, found 0`,
        'b.yaml:7:3: limiters[5]: must be a mapping of fields, found "text"',
        "b.yaml:8:2: limiters[6]: must be a mapping of fields, found nothing",
      ],
    ],
    [
      "fields that do not go together",
      "limiters:\n- {name: a}\n- {name: b, max_concurrent: 1, burst_size: 2, max_keys: 3, ttl: 2m, max_ttl: 1m}\n",
      [
        "b.yaml:2:3: limiters[0]: a limiter needs a rate (rate or max_rps), max_concurrent or both",
        "b.yaml:3:3: limiters[1]: burst_size needs rate or max_rps",
        "b.yaml:3:3: limiters[1]: max_keys needs keyed: true",
        "b.yaml:3:3: limiters[1]: ttl must not exceed max_ttl",
      ],
    ],
    [
      "half a character",
      'limiters: [{name: a, max_rps: 5, description: "\\ud800"}]',
      ['b.yaml:1:34: limiters[0].description: must be text of whole characters, found "\\ud800"'],
    ],
    [
      "yes for true",
      "limiters: [{name: a, max_rps: 5, keyed: yes}]",
      ['b.yaml:1:34: limiters[0].keyed: must be true or false, found "yes"'],
    ],
    [
      "listeners",
      'listeners:\n  grpc: localhost\n  web: "127.0.0.1:99999"\n  cors_origins: [https://a.example/, 7, "*"]\n',
      [
        `b.yaml:2:3: listeners.grpc: ${ADDRESS}, found "localhost"`,
        "b.yaml:3:3: listeners.web: must be host:port, such as 127.0.0.1:8080, 0.0.0.0:8080 or [::1]:8080, " +
          'found "127.0.0.1:99999"',
        "b.yaml:4:18: listeners.cors_origins[0]: must be an origin without a path: https://a.example, " +
          'found "https://a.example/"',
        "b.yaml:4:38: listeners.cors_origins[1]: must be text: put it in quotes, found 7",
      ],
    ],
    [
      "names of hosts that no browser sends",
      'listeners: {web_hosts: ["http://a.example:80/", "*.127.0.0.1", "a.*", "", "*"]}',
      [
        'b.yaml:1:25: listeners.web_hosts[0]: must be a name without scheme, port and path: a.example, found "http://a.example:80/"',
        'b.yaml:1:49: listeners.web_hosts[1]: must be a name: an IP address has no subdomains, found "*.127.0.0.1"',
        `b.yaml:1:64: listeners.web_hosts[2]: must be a name whose * is the whole list's only word, or its first part (*.example.com), found "a.*"`,
        'b.yaml:1:71: listeners.web_hosts[3]: must be the name of a host, such as bp.example.com or *.example.com, or *, found ""',
      ],
    ],
    [
      "one address for both",
      "listeners: {grpc: 127.0.0.1:8080}",
      ["b.yaml:1:1: listeners.web: must differ from listeners.grpc, which is port 8080 of 127.0.0.1 too"],
    ],
    ["a level that is none", "logging: {level: loud}", [`b.yaml:1:11: logging.level: ${LEVELS}, found "loud"`]],
    ["a level by its number", "logging: {level: 2}", [`b.yaml:1:11: logging.level: ${LEVELS}, found 2`]],
    [
      "the level that stands for none",
      "logging: {level: LOG_LEVEL_UNSPECIFIED}",
      [`b.yaml:1:11: logging.level: ${LEVELS}, found "LOG_LEVEL_UNSPECIFIED"`],
    ],
    [
      "long text, of which only the beginning is shown",
      `logging: {level: ${"x".repeat(1_000)}}`,
      [`b.yaml:1:11: logging.level: ${LEVELS}, found "${"x".repeat(60)}…"`],
    ],
    [
      "what is no YAML, and only that",
      "limits: [1\nlimiters: !Foo 3\n\tx: 1",
      [
        "b.yaml:2:1: Flow sequence in block collection must be sufficiently indented and end with a ]",
        "b.yaml:2:11: Unresolved tag: !Foo",
        "b.yaml:3:1: Tabs are not allowed as indentation",
      ],
    ],
    ["an alias of nothing", "drain: *unknown", ["b.yaml:1:8: no anchor &unknown stands before this alias"]],
    [
      "aliases that stand for billions",
      "x-a: &a [lol, lol]\nx-b: &b [*a, *a]\nx-c: &c [*b, *b]\nlimiters: *c\n",
      [0, 1].map(
        (index) => `b.yaml:3:${10 + 4 * index}: limiters[${index}]: must be a mapping of fields, found a list`,
      ),
    ],
    [
      "an alias that stands for itself",
      "limiters: &all [*all]",
      ["b.yaml:1:17: limiters[0]: must be a mapping of fields, found a list"],
    ],
    ["a merge of itself", "logging: &l {level: info, <<: *l}", ["b.yaml:1:27: a mapping must not merge itself"]],
    [
      "a merge of something else than mappings",
      "logging: {<<: 5}\nlimits: {<<: [{max_waiters: 1}, 7]}\n",
      [
        "b.yaml:1:11: << must be a mapping or a list of mappings, such as *base, found 5",
        "b.yaml:2:10: << must be a mapping or a list of mappings, such as *base, found 7",
      ],
    ],
    [
      "two merges and two extensions of one name",
      "x-a: 1\nx-a: 2\nlogging: {<<: {level: info}, <<: {level: warn}}\n",
      [
        "b.yaml:2:1: x-a is given twice, first on line 1",
        "b.yaml:3:30: << is given twice; merge several mappings as one list: <<: [*a, *b]",
      ],
    ],
    [
      "what is merged, at the line where it is written",
      "x-base: &base\n  max_concurrent: 0\n  tll: 5s\nlimiters:\n- {<<: *base, name: a}\n",
      [
        `b.yaml:2:3: limiters[0].max_concurrent: ${COUNT}, found 0`,
        "b.yaml:3:3: limiters[0].tll: no such field; did you mean ttl?",
      ],
    ],
    [
      "variables",
      'store: {folder: "${HOME}/data"}\nlisteners: {grpc: "${HOST:?say where}:1", web: $5, cors_origins: ["${"]}\n',
      [
        "b.yaml:1:9: store.folder: needs the variable HOME, which is not set; set it, or give a default: ${HOME:-default}",
        "b.yaml:2:13: listeners.grpc: needs the variable HOST, which is not set: say where",
        "b.yaml:2:43: listeners.web: has a $ that begins no variable; write $$ for a dollar, or ${NAME}",
        "b.yaml:2:67: listeners.cors_origins[0]: has a ${ without its }; write $$ for a dollar",
      ],
    ],
    [
      "a variable that is no value of its own in flow style",
      "limits: { max_waiters: ${N} }\nlogging: { level: info }\n",
      ['b.yaml:1:24: a variable between { } or [ ] stands in quotes: "${NAME}"'],
    ],
    [
      "an access list that says what is not there",
      `access:
  - { who: ["\${tenant}"], may: [rule], limiters: ["\${nobody}"] }
  - { who: ["*"], may: [observe], keys: ["$\${claims}"], boards: [b], bounds: { max_leases: 0 } }
`,
      [
        'b.yaml:2:13: access[0].who[0]: names callers, and has no ${…}, found "${tenant}"',
        'b.yaml:2:33: access[0].may[0]: must be one of acquire, observe, operate, found "rule"',
        "b.yaml:2:51: access[0].limiters[0]: needs the variable nobody, which is not set; set it, or give a default: ${nobody:-default}",
        'b.yaml:3:42: access[1].keys[0]: must have no other than ${caller}, ${tenant} and ${claim.NAME}, found "${claims}"',
        "b.yaml:3:80: access[1].bounds.max_leases: must be a whole number from 1 to 10,000,000, found 0",
      ],
    ],
    [
      "who may call, of whom it names nobody",
      "auth: {}\n",
      [
        "b.yaml:1:1: auth: must name somebody who may call: tokens, jwt, or tls.client_ca_file beside it, or allow_anonymous: true for everybody",
      ],
    ],
    [
      "what a variable brings",
      "limits: {max_waiters: '${N:-many}'}\n",
      [`b.yaml:1:10: limits.max_waiters: ${COUNT}, found "many", which is "\${N:-many}"`],
    ],
  ])("%s", (_what, text, expected) => {
    expect(problems(text)).toEqual(expected);
  });

  it("nested without end", () => {
    expect(problems("[".repeat(100_000))[0]).toMatch(/^b\.yaml:1:\d+: is nested too deeply$/);
  });

  it("of very many problems the first hundred, and how many there are", () => {
    const reported = problems("x: 1\n".repeat(500));
    expect(reported).toHaveLength(101);
    expect(reported.at(-1)).toBe("b.yaml:101:1: 400 more from here on");
  });
});
