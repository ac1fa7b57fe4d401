/** What the console says in words. */

import type { Author } from "../protocol";
import type { Owner, Undelivered } from "./desk";

const REASONS: Readonly<Record<string, string>> = {
  asked_for_human: "Asked for a person",
  not_sure: "The assistant was not sure",
  complaint: "Complaint",
  problem_unsolved: "The problem is not solved",
  order: "A question about an order",
  danger: "DANGER",
  crisis: "A person in crisis",
  legal: "Legal matters or the press",
  assistant_unavailable: "The assistant was unavailable",
};

const AUTHOR_NAMES: Readonly<Record<Author, string>> = {
  customer: "Customer",
  assistant: "Assistant",
  agent: "Agent",
  system: "Notice",
};

const OUTCOMES: Readonly<Record<string, string>> = {
  answer: "sure enough to answer",
  clarify: "not sure which one",
  handoff: "nothing fits",
  act: "a dialogue act",
  confirm: "perhaps a dialogue act",
  not_understood: "not understood",
};

const PARTS: Readonly<Record<string, string>> = {
  waited: "waited",
  match: "looking up",
  assistant: "dialogue",
};

const languages = new Intl.DisplayNames("en", { type: "language", fallback: "code" });
const times = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short" });

export function reason(code: string): string {
  return REASONS[code] ?? code;
}

export function outcome(code: string): string {
  return OUTCOMES[code] ?? code;
}

/** A part of a turn. */
export function part(code: string): string {
  return PARTS[code] ?? code;
}

/** A probability of 0–1 as a share of a hundred; null: unknown. */
export function chance(probability: number | null): string {
  return probability === null ? "?" : `${Math.round(probability * 100)} %`;
}

/** `action_answer` and `ask_human` are names of files, not of people's language. */
export function plain(code: string): string {
  return code.replace(/^(action|utter)_/, "").replaceAll("_", " ");
}

export function author(code: Author): string {
  return AUTHOR_NAMES[code];
}

export function language(code: string): string {
  return code === "" ? "" : (languages.of(code) ?? code);
}

export function owner(code: Owner, claimedBy: string | null, mine: boolean): string {
  if (code === "agent") return mine ? "With you" : `With ${claimedBy ?? "another agent"}`;
  return { waiting: "Waiting", assistant: "With the assistant", closed: "Closed" }[code];
}

export function undelivered(state: Undelivered): string {
  return { failed: "Not delivered", unknown: "Perhaps not delivered" }[state];
}

export function moment(iso: string): string {
  const date = new Date(iso);
  return Number.isNaN(date.getTime()) ? "" : times.format(date);
}

/** Time since, in its largest whole unit. */
export function waitingTime(iso: string, now: number): string {
  const minutes = Math.floor((now - Date.parse(iso)) / 60_000);
  if (Number.isNaN(minutes)) return "";
  if (minutes < 1) return "just now";
  if (minutes < 60) return `${minutes} min`;
  if (minutes < 48 * 60) return `${Math.floor(minutes / 60)} h`;
  return `${Math.floor(minutes / 1440)} days`;
}
