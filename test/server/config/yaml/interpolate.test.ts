// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the file writes its variables like this.
import { expect, test } from "vitest";
import { interpolate } from "../../../../src/server/config/yaml/interpolate.ts";

const VARIABLES = { A: "a", EMPTY: "", B_2: "b" };

test.each([
  ["nothing", "nothing"],
  ["$A", "a"],
  ["$A$B_2-$A.", "ab-a."],
  ["${A}", "a"],
  ["x${A}y${B_2}z", "xaybz"],
  ["${EMPTY}", ""],
  ["${A:-d}", "a"],
  ["${A-d}", "a"],
  ["${EMPTY:-d}", "d"],
  ["${EMPTY-d}", ""],
  ["${NONE:-d}", "d"],
  ["${NONE-d}", "d"],
  ["${NONE:-}", ""],
  ["${NONE:-a b:c-d}", "a b:c-d"],
  ["${NONE:-${EMPTY:-${A}}}", "a"],
  ["${NONE:-$A}", "a"],
  ["${NONE:-$$}", "$"],
  ["${A:?m}", "a"],
  ["${EMPTY?m}", ""],
  ["${A:+o}", "o"],
  ["${EMPTY:+o}", ""],
  ["${EMPTY+o}", "o"],
  ["${NONE+o}", ""],
  ["${A:-${NONE}}", "a"],
  ["$$", "$"],
  ["$$A", "$A"],
  ["$${A}", "${A}"],
  ["$$$A", "$a"],
])("%s is %j", (text, expected) => {
  expect(interpolate(text, VARIABLES)).toEqual({ kind: "text", text: expected });
});

test.each([
  ["$NONE", /NONE, which is not set; set it, or give a default: \$\{NONE:-default\}/],
  ["${NONE}", /NONE, which is not set/],
  ["${toString}", /toString, which is not set/],
  ["${NONE:?}", /NONE, which is not set$/],
  ["${NONE:?say $A}", /NONE, which is not set: say a$/],
  ["${EMPTY:?m}", /EMPTY, which is empty: m$/],
  ["${NONE?m}", /NONE, which is not set: m$/],
  ["${NONE:-${OTHER}}", /OTHER, which is not set/],
  ["$", /begins no variable/],
  ["5$", /begins no variable/],
  ["$5", /begins no variable/],
  ["${", /without its \}/],
  ["${A", /without its \}/],
  ["${A:-${B}", /without its \}/],
  ["${}", /none of/],
  ["${5}", /none of/],
  ["${A B}", /none of/],
  ["${A:}", /none of/],
  ["${A/x/y}", /none of/],
  [`${"${NONE:-".repeat(30)}${"}".repeat(30)}`, /more than 20 deep/],
])("%s is a fault", (text, why) => {
  expect(interpolate(text, VARIABLES)).toMatchObject({ kind: "fault", message: expect.stringMatching(why) });
});
