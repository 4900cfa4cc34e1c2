/** The server as a whole: whether it serves, since when, and with which configuration. */

import { signal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import { formatRoughly } from "../../../text/duration.ts";
import { formatCount, formatInstant, formatNumber } from "../../../text/number.ts";
import { failureText } from "../../api/failure.ts";
import type { ServerConfig, ServerLoad, ServerStatus } from "../../api/server-calls.ts";
import { loadFigures, streamWords } from "../../model/server-load.ts";
import { serverSentence, settingsOf } from "../../model/server-words.ts";
import { createPoll } from "../../store/poll.ts";
import { usePage } from "../../ui/context.ts";
import { type Figure, Figures } from "../../ui/figures.tsx";

/** ms. */
const PACE = 500;
const PATIENCE = 2_000;

export function ServerPage() {
  const { rpc, probe, connection, overview } = usePage();
  const config = useMemo(() => signal<ServerConfig | undefined>(undefined), []);
  const failure = useMemo(() => signal(""), []);
  useEffect(() => {
    const read = async () => {
      try {
        config.value = await rpc.server.config();
      } catch (error) {
        failure.value = failureText(error);
      }
    };
    return createPoll({ read, pace: PACE, patience: PATIENCE }).close;
  }, [rpc, config, failure]);
  const known = config.value;
  if (known === undefined) {
    return (
      <>
        <h1>Server</h1>
        {failure.value !== "" && <p>Its configuration is not shown: {failure.value}.</p>}
      </>
    );
  }
  const { totals } = overview.census.value;
  const since = known.startTime === undefined ? undefined : new Date(known.startTime);
  const { isWell, words } = serverSentence(probe.health.value, known.status, known.readTime);
  const figures: Figure[] = [
    { label: "version", value: known.serverVersion ?? "unknown" },
    { label: "has run for", value: since ? formatRoughly(Math.max(0, connection.now.value - since.getTime())) : "–" },
    { label: "limiters", value: formatNumber(totals.limiters) },
    { label: "leases held", value: formatNumber(totals.holding) },
  ];
  return (
    <>
      <h1 class={isWell ? undefined : "alarming"}>{words}</h1>
      <Figures figures={figures} />
      {known.status?.load && <Load load={known.status.load} />}
      <h2>Configuration</h2>
      <p>
        {known.file === undefined ? "No file was given, so this is the default configuration" : `From ${known.file}`}
        {known.loadTime !== undefined && `, in force since ${formatInstant(new Date(known.loadTime))}`}.
      </p>
      {(known.restartFields ?? []).length > 0 && (
        <p class="alarming">
          The file says otherwise by now of {known.restartFields?.join(", ")}, which takes a restart to come into force.
        </p>
      )}
      <RefusedFile {...known.status} />
      <div class="scroller whole">
        <table class="settings">
          <thead>
            <tr>
              <th scope="col">Setting</th>
              <th scope="col">Value</th>
              <th scope="col">From</th>
            </tr>
          </thead>
          <tbody>
            {settingsOf(known).map(({ field, value, from }) => (
              <tr key={field}>
                <th scope="row">{field}</th>
                <td>{value}</td>
                <td>{from}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}

/** What it carries now, over all its threads. */
function Load({ load }: { readonly load: ServerLoad }) {
  const streams = streamWords(load);
  return (
    <section aria-label="What it carries">
      <h2>Load</h2>
      <Figures figures={loadFigures(load)} />
      {streams && <p>Streams: {streams}.</p>}
    </section>
  );
}

/** What is wrong with the file, if what was read last is not in force. */
function RefusedFile({ fileProblems = [], fileProblemCount = 0, fileRefuseTime }: ServerStatus) {
  if (fileProblems.length === 0) return null;
  const since = fileRefuseTime === undefined ? "" : ` at ${formatInstant(new Date(fileRefuseTime))}`;
  const more = fileProblemCount - fileProblems.length;
  return (
    <section aria-label="The file is refused">
      <p class="alarming">The file was refused{since}: what was in force stays so, and the next start would fail.</p>
      <ul>
        {fileProblems.map((problem) => (
          <li key={problem}>{problem}</li>
        ))}
        {more > 0 && <li>{formatCount(more, "more problem")}</li>}
      </ul>
    </section>
  );
}
