/**
 * Prints what checks a message by the rules of its contract (`buf.validate`). A rule that is not known here becomes `false`: the
 * check then leaves every message with such a field to protovalidate.
 */

import { type DescField, type DescMessage, getOption, isFieldSet, type MessageShape } from "@bufbuild/protobuf";
import type { Duration } from "@bufbuild/protobuf/wkt";
import type { GeneratedFile, ImportSymbol, Printable } from "@bufbuild/protoplugin";
import {
  type DurationRules,
  DurationRulesSchema,
  type EnumRules,
  EnumRulesSchema,
  type FieldRules,
  FieldRulesSchema,
  field as fieldOption,
  Ignore,
  type MessageOneofRule,
  MessageOneofRuleSchema,
  message as messageOption,
  oneof as oneofOption,
  type RepeatedRules,
  RepeatedRulesSchema,
  type StringRules,
  StringRulesSchema,
  type UInt32Rules,
  UInt32RulesSchema,
} from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import { isCompiled, isExplicit, setOf, unsetOf, valueIn } from "./fields.ts";

/** TypeScript that is true of `m` where a rule is kept. */
type Condition = readonly Printable[];

/** The functions of `src/server/protobuf/rules.ts`. */
export type RuleFunctions = (name: "fits" | "every" | "isBetween") => ImportSymbol;

/** Patterns that mean the same in RE2 and in JavaScript: classes of ASCII, and how often. */
const PLAIN_PATTERN = /^\^\[[!-Z^-~]+\]\{\d+,\d+\}\$$/;

const UNKNOWN: Condition = ["false"];

export function printRules(f: GeneratedFile, desc: DescMessage, functions: RuleFunctions): void {
  const conditions = conditionsOf(desc, functions);
  f.print("");
  f.print("function isValid", desc.name, "(m: ", f.importShape(desc), "): boolean {");
  f.print("  return (");
  for (const [index, condition] of conditions.entries()) {
    f.print("    ", [...condition], index < conditions.length - 1 ? " &&" : "");
  }
  f.print("  );");
  f.print("}");
}

/** Whether a message of this type can break a rule. */
export function hasRules(desc: DescMessage): boolean {
  return conditionsOf(desc, (name) => name as unknown as ImportSymbol).length > 0;
}

function conditionsOf(desc: DescMessage, functions: RuleFunctions): Condition[] {
  const { oneof, cel, celExpression } = getOption(desc, messageOption);
  const alternatives = new Set(oneof.flatMap((rule) => rule.fields));
  return [
    ...desc.fields.flatMap((field) => conditionsOfField(field, alternatives.has(field.name), functions)),
    ...[...cel, ...celExpression].map(() => UNKNOWN),
    ...oneof.map((rule) => eitherOf(desc, rule)),
    ...desc.oneofs
      .filter((one) => getOption(one, oneofOption).required)
      .map(({ localName }) => [`m.${localName}.case !== undefined`]),
  ];
}

function conditionsOfField(field: DescField, isAlternative: boolean, functions: RuleFunctions): Condition[] {
  const rules = getOption(field, fieldOption);
  const says = isFieldSet(rules, FieldRulesSchema.field.ignore);
  const ignore = !says && isAlternative ? Ignore.IF_ZERO_VALUE : rules.ignore;
  if (ignore === Ignore.ALWAYS) return [];
  const kept = [...valueConditions(field, rules, functions), ...contentConditions(field, functions)];
  const mayBeUnset = field.fieldKind !== "list" && isExplicit(field);
  const conditions =
    kept.length > 0 && (mayBeUnset || ignore === Ignore.IF_ZERO_VALUE) ? [unless(unsetOf(field), kept)] : kept;
  return rules.required ? [[setOf(field)], ...conditions] : conditions;
}

function unless(unset: string, conditions: readonly Condition[]): Condition {
  const [first, ...others] = conditions;
  if (others.length === 0) return ["(", unset, " || ", ...(first ?? []), ")"];
  const all = conditions.flatMap((condition, index) => (index === 0 ? condition : [" && ", ...condition]));
  return ["(", unset, " || (", ...all, "))"];
}

/** What the rules of a field say of its value. */
function valueConditions(
  field: DescField,
  { type, cel, celExpression }: FieldRules,
  functions: RuleFunctions,
): Condition[] {
  const value = valueIn(field);
  const byExpression = [...cel.map(({ expression }) => expression), ...celExpression];
  return [...byType(field, type, value, functions), ...byExpression.map((one) => knownCel(one, value, functions))];
}

function byType(field: DescField, type: FieldRules["type"], value: string, functions: RuleFunctions): Condition[] {
  switch (type.case) {
    case undefined:
      return [];
    case "string":
      return stringConditions(type.value, value, functions);
    case "uint32":
      return uint32Conditions(type.value, value);
    case "enum":
      return enumConditions(field, type.value, value);
    case "duration":
      return durationConditions(type.value, value, functions);
    case "repeated":
      return repeatedConditions(type.value, value);
    default:
      return [UNKNOWN];
  }
}

/** What the rules of the messages in a field say. */
function contentConditions(field: DescField, functions: RuleFunctions): Condition[] {
  const { message } = field;
  if (message === undefined || !hasRules(message)) return [];
  if (!isCompiled(message)) return [UNKNOWN];
  if (field.fieldKind === "list") return [[functions("every"), `(${valueIn(field)}, isValid${message.name})`]];
  return [[`isValid${message.name}(${valueIn(field)})`]];
}

function stringConditions(rules: StringRules, value: string, functions: RuleFunctions): Condition[] {
  if (hasOthers(StringRulesSchema, rules, ["min_len", "max_bytes", "pattern"])) return [UNKNOWN];
  const { minLen, maxBytes, pattern } = StringRulesSchema.field;
  const conditions: Condition[] = [];
  // The length is counted in code points, of which one is more than none.
  if (isFieldSet(rules, minLen)) conditions.push(rules.minLen === 1n ? [`${value} !== ""`] : UNKNOWN);
  if (isFieldSet(rules, maxBytes)) conditions.push([functions("fits"), `(${value}, ${rules.maxBytes})`]);
  if (isFieldSet(rules, pattern)) {
    conditions.push(PLAIN_PATTERN.test(rules.pattern) ? [`/${rules.pattern}/.test(${value})`] : UNKNOWN);
  }
  return conditions;
}

function uint32Conditions(rules: UInt32Rules, value: string): Condition[] {
  if (hasOthers(UInt32RulesSchema, rules, ["lte"]) || rules.lessThan.case !== "lte") return [UNKNOWN];
  return [[`${value} <= ${rules.lessThan.value}`]];
}

function enumConditions(field: DescField, rules: EnumRules, value: string): Condition[] {
  if (hasOthers(EnumRulesSchema, rules, ["defined_only"]) || field.enum === undefined) return [UNKNOWN];
  if (!rules.definedOnly) return [];
  return [["(", field.enum.values.map(({ number }) => `${value} === ${number}`).join(" || "), ")"]];
}

function durationConditions(rules: DurationRules, value: string, functions: RuleFunctions): Condition[] {
  if (hasOthers(DurationRulesSchema, rules, ["gte", "lte"])) return [UNKNOWN];
  const { greaterThan, lessThan } = rules;
  if (greaterThan.case !== "gte" || lessThan.case !== "lte") return [UNKNOWN];
  return [[functions("isBetween"), `(${value}, ${nanosOf(greaterThan.value)}, ${nanosOf(lessThan.value)})`]];
}

function nanosOf({ seconds, nanos }: Duration): string {
  return String(seconds * 1_000_000_000n + BigInt(nanos));
}

function repeatedConditions(rules: RepeatedRules, value: string): Condition[] {
  if (hasOthers(RepeatedRulesSchema, rules, ["min_items", "max_items"])) return [UNKNOWN];
  const { minItems, maxItems } = RepeatedRulesSchema.field;
  const conditions: Condition[] = [];
  if (isFieldSet(rules, minItems)) conditions.push([`${value}.length >= ${rules.minItems}`]);
  if (isFieldSet(rules, maxItems)) conditions.push([`${value}.length <= ${rules.maxItems}`]);
  return conditions;
}

/** One of two fields has to be set, and no more. */
function eitherOf(desc: DescMessage, rule: MessageOneofRule): Condition {
  const [one, other, ...more] = rule.fields.map((name) => desc.fields.find((field) => field.name === name));
  if (hasOthers(MessageOneofRuleSchema, rule, ["fields", "required"]) || more.length > 0) return UNKNOWN;
  if (!rule.required || one === undefined || other === undefined) return UNKNOWN;
  return [`(${setOf(one)}) !== (${setOf(other)})`];
}

/** Expressions of the contract that stand in hot messages. */
function knownCel(expression: string, value: string, functions: RuleFunctions): Condition {
  if (expression !== "this == duration('0s') || this >= duration('0.1s')") return UNKNOWN;
  const isBetween = functions("isBetween");
  return ["(", isBetween, `(${value}, 0, 0) || `, isBetween, `(${value}, 100000000, Number.POSITIVE_INFINITY))`];
}

function hasOthers<D extends DescMessage>(desc: D, rules: MessageShape<D>, known: readonly string[]): boolean {
  return desc.fields.some((field) => isFieldSet(rules, field) && !known.includes(field.name));
}
