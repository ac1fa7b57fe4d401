/** The question of a handoff and the articles considered for it, for the agent to use and judge. */

import { element, setText } from "../dom";
import { safeUrl } from "../protocol";
import type { Candidate, Conversation } from "./desk";

interface Actions {
  /** Puts the short answer into the reply and sends the article along. */
  insert(candidate: Candidate): void;
  /** Records whether an article answers the question (null: no article does it); null takes it back. */
  judge(article: string | null, right: boolean | null): void;
}

interface Row {
  readonly acts: HTMLElement;
  readonly marks: readonly (readonly [boolean, HTMLButtonElement])[];
}

export class Candidates {
  readonly element: HTMLElement;

  #question = element("blockquote", { dir: "auto", "data-testid": "question" });
  #list = element("ul");
  #noArticle = element(
    "button",
    { type: "button", class: "mark", "data-testid": "no-article" },
    "No article answers it",
  );
  #rows: Row[] = [];
  #known = "";

  constructor(private readonly actions: Actions) {
    this.#noArticle.addEventListener("click", () =>
      this.actions.judge(null, isPressed(this.#noArticle) ? null : true),
    );
    this.element = element(
      "section",
      { "aria-label": "What the assistant considered" },
      element("h3", {}, "What the assistant considered"),
      this.#question,
      this.#list,
      this.#noArticle,
    );
  }

  /** Buttons stay the same elements over refreshes, so that a pressed one keeps the focus. */
  render({ question, candidates }: Conversation, isOwn: boolean): void {
    setText(this.#question, question?.text ?? "");
    this.#question.hidden = question === null;
    this.#noArticle.hidden = !isOwn || question === null;
    this.#noArticle.setAttribute("aria-pressed", String(question?.noArticle === true));
    this.#renderList(candidates);
    this.#rows.forEach(({ acts, marks }, index) => {
      acts.hidden = !isOwn;
      for (const [right, button] of marks) {
        button.hidden = question === null;
        button.setAttribute("aria-pressed", String(candidates[index]?.right === right));
      }
    });
  }

  #renderList(candidates: readonly Candidate[]): void {
    const known = JSON.stringify(candidates.map((each) => ({ ...each, right: null })));
    if (known === this.#known) return;
    this.#known = known;
    this.#rows = [];
    const items = candidates.map((candidate) => this.#item(candidate));
    const nothing = element("li", { class: "empty" }, "No article.");
    this.#list.replaceChildren(...(items.length > 0 ? items : [nothing]));
  }

  #item(candidate: Candidate): HTMLElement {
    const href = safeUrl(candidate.url, location.origin);
    const title = element("bdi", {}, candidate.title);
    const link =
      href === null ? title : element("a", { href, target: "_blank", rel: "noopener" }, title);
    const marks = [
      [true, this.#mark(candidate, true, "Right")],
      [false, this.#mark(candidate, false, "Wrong")],
    ] as const;
    const acts = element("div", { class: "acts" }, ...marks.map(([, button]) => button));
    if (candidate.shortAnswer !== null) acts.prepend(this.#insert(candidate));
    this.#rows.push({ acts, marks });
    const chance = `${Math.round(candidate.probability * 100)} % `;
    return element("li", { "data-testid": "candidate" }, chance, link, acts);
  }

  #insert(candidate: Candidate): HTMLButtonElement {
    const button = element(
      "button",
      {
        type: "button",
        class: "mark",
        "aria-label": `Insert ${candidate.title}`,
        "data-testid": "insert",
      },
      "Insert",
    );
    button.addEventListener("click", () => this.actions.insert(candidate));
    return button;
  }

  #mark(candidate: Candidate, right: boolean, label: string): HTMLButtonElement {
    const about = right ? "answers the question" : "does not answer the question";
    const button = element(
      "button",
      {
        type: "button",
        class: "mark",
        title: `This article ${about}`,
        "aria-label": `${label}: ${candidate.title} ${about}`,
        "data-testid": label.toLowerCase(),
      },
      label,
    );
    button.addEventListener("click", () =>
      this.actions.judge(candidate.article, isPressed(button) ? null : right),
    );
    return button;
  }
}

function isPressed(button: HTMLButtonElement): boolean {
  return button.getAttribute("aria-pressed") === "true";
}
