/** The arrows: who may import whom. Type imports count. What is not allowed here is forbidden, and the rule says why. */

const only = (name, from, to, comment) => ({
  name,
  comment,
  severity: "error",
  from: { path: `^src/${from}` },
  to: { path: "^src/", pathNot: to.map((folder) => `^src/${folder}`) },
});

module.exports = {
  forbidden: [
    { name: "no-cycles", severity: "error", comment: "Data flows one way.", from: {}, to: { circular: true } },
    only(
      "reasons",
      "reasons/",
      ["reasons/"],
      "The one table of reasons, which server, client and in-process limiter read.",
    ),
    only(
      "machine-is-pure",
      "server/machine/",
      ["server/machine/", "reasons/"],
      "The machine decides and does nothing else: it knows no time, wire or disk.",
    ),
    {
      name: "machine-has-no-packages",
      comment: "The machine decides and does nothing else: it needs no library and nothing of Node.",
      severity: "error",
      from: { path: "^src/server/machine/" },
      to: { dependencyTypes: ["npm", "npm-dev", "npm-optional", "core"] },
    },
    only(
      "store",
      "server/store/",
      ["server/store/", "server/machine/", "server/(clock|ids|log)\\.ts$"],
      "The store keeps the machines' changes and knows nobody else but ports.",
    ),
    only(
      "engine",
      "server/engine/",
      ["server/engine/", "server/machine/", "server/store/", "server/(clock|ids|log)\\.ts$"],
      "An engine drives the machine and keeps its changes; it knows no wire.",
    ),
    only(
      "wire",
      "server/wire/",
      ["server/wire/", "server/machine/", "server/clock\\.ts$", "server/gen/", "reasons/"],
      "The wire turns protobuf into the domain and back: total functions of their arguments.",
    ),
    only(
      "service",
      "server/service/",
      [
        "server/service/",
        "server/wire/",
        "server/engine/(board-)?engine\\.ts$",
        "server/machine/",
        "server/(clock|ids|log)\\.ts$",
        "server/gen/",
        "reasons/",
      ],
      "A service speaks to the engine's port, never to one engine, a transport or the store.",
    ),
    only(
      "transport",
      "server/transport/",
      ["server/transport/", "server/service/rpc\\.ts$", "server/wire/", "server/(clock|log)\\.ts$", "server/gen/"],
      "A transport carries any RpcService; which ones there are is the composition root's affair.",
    ),
    only(
      "config",
      "server/config/",
      [
        "server/config/",
        "server/wire/",
        "server/machine/",
        "server/store/row\\.ts$",
        "server/(clock|log)\\.ts$",
        "server/gen/",
        "client/api/(rate|duration)\\.ts$",
      ],
      "Configuration is read and checked; the composition root applies it.",
    ),
    only("client", "client/", ["client/", "reasons/"], "The client never imports the server."),
    only("generated-client", "client/gen/", ["client/gen/"], "Generated code knows only generated code."),
    only("generated-server", "server/gen/", ["server/gen/"], "Generated code knows only generated code."),
    {
      name: "one-way-to-connect",
      comment:
        "Connections from Node are made and pinged by the client's pool alone: connect-node's own manager loses calls when it verifies one.",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/client/transport/(node-transport|connection-pool)\\.ts$" },
      to: { path: "node_modules/@connectrpc/connect-node/" },
    },
    only(
      "middleware",
      "middleware/",
      ["middleware/", "client/", "reasons/"],
      "A middleware admits by the client's interfaces; it brings no limiter and no framework.",
    ),
    only(
      "in-process",
      "in-process/",
      ["in-process/", "server/(machine|engine|store)/", "server/clock\\.ts$", "client/", "reasons/"],
      "The in-process limiter is the machine and the client's interfaces, without wire or transport.",
    ),
    {
      ...only(
        "cli",
        "cli/",
        ["cli/", "client/"],
        "The command line is a client; only `serve`, `check`, `diff` and `health` reach into the server.",
      ),
      from: {
        path: "^src/cli/",
        pathNot: "^src/cli/(commands/(serve|check|diff|health)|session/server-signals)\\.ts$",
      },
    },
    only("cli-text", "cli/text/", ["cli/text/", "client/"], "Texts for a terminal know of no command and no server."),
    {
      ...only(
        "cli-session",
        "cli/session/",
        ["cli/(session|text)/", "client/"],
        "What each command is given, before it does anything.",
      ),
      from: { path: "^src/cli/session/", pathNot: "/server-signals\\.ts$" },
    },
    only(
      "cli-options",
      "cli/options/",
      ["cli/(options|session|text)/", "client/"],
      "Options are read; nothing is shown, and nothing runs.",
    ),
    only(
      "cli-output",
      "cli/output/",
      ["cli/(output|session|text)/", "client/"],
      "What is shown knows nothing of how it was asked for.",
    ),
    only(
      "cli-running",
      "cli/running/",
      ["cli/(running|output|session|text)/", "client/"],
      "What runs under a lease or for a card is told what to run, and reads no options.",
    ),
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: { exportsFields: ["exports"], conditionNames: ["import", "node", "types", "default"] },
  },
};
