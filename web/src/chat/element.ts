/** `<usher-chat>`: joins what is shown to what is sent and received. */

import type { Message } from "../protocol";
import type { Gateway, Texts } from "./gateway";
import { MessageLog } from "./log";
import { Outbox } from "./outbox";
import { Panel } from "./panel";
import { Receiver } from "./receiver";
import { keep, recall } from "./storage";
import css from "./chat.css?inline";
import { Timeline } from "./timeline";

const READ_UP_TO = "usher.read";
/** Milliseconds. */
const OFFLINE_SHOWN_AFTER = 2_000;
const TYPING_SHOWN_FOR = 12_000;

export class UsherChat extends HTMLElement {
  readonly #timeline = new Timeline();
  readonly #log: MessageLog;
  readonly #panel: Panel;
  readonly #outbox: Outbox;
  readonly #receiver: Receiver;

  #offlineTimer: number | undefined;
  #typingTimer: number | undefined;
  #hasHistory = false;

  constructor(
    private readonly gateway: Gateway,
    private readonly texts: Texts,
    language: string,
  ) {
    super();
    this.lang = language;
    this.dir = texts["direction"] ?? "ltr";
    const send = (text: string): void => this.#send(text);
    this.#log = new MessageLog(texts, this.dir, gateway.origin, {
      send,
      retry: (pending) => {
        this.#showTyping(true);
        this.#outbox.retry(pending);
      },
      judge: (seq, helpful) => gateway.judge(seq, helpful),
    });
    this.#panel = new Panel(texts, this.#log, { send, opened: () => this.#opened() });
    this.#outbox = new Outbox(gateway, this.#timeline, () => this.#sendingChanged());
    this.#receiver = new Receiver(gateway, {
      lastSeq: () => this.#timeline.lastSeq,
      messages: (messages) => void this.#accept(messages),
      connected: (isConnected) => this.#showConnected(isConnected),
    });
    gateway.onNewVisitor = () => this.#startAnew();

    const sheet = new CSSStyleSheet();
    sheet.replaceSync(css);
    const root = this.attachShadow({ mode: "open" });
    root.adoptedStyleSheets = [sheet];
    root.append(...this.#panel.elements);
  }

  /** A known visitor is connected at once, so that news show on the launcher. */
  connectedCallback(): void {
    if (this.gateway.hasVisitor) this.#receiver.start();
  }

  /** Opens the panel with a notice above the messages. */
  announce(text: string): void {
    this.#panel.open();
    this.#panel.showNotice(text);
  }

  #opened(): void {
    if (!this.#receiver.isStarted) {
      this.#panel.showConnection(this.texts["web_connecting"] ?? "");
      this.#showConnected(false);
      this.#receiver.start();
    }
    this.#markRead();
  }

  #send(text: string): void {
    this.#panel.showNotice("");
    this.#showTyping(true);
    this.#outbox.send(text);
    this.#log.scrollToEnd();
    this.#panel.focusInput();
  }

  #sendingChanged(): void {
    if (this.#timeline.pending.some((pending) => pending.failed)) this.#showTyping(false);
    this.#render();
  }

  async #accept(messages: readonly Message[]): Promise<void> {
    this.#shown(this.#timeline.accept(messages));
    while (this.#timeline.hasGap) {
      const before = this.#timeline.lastSeq;
      try {
        this.#shown(this.#timeline.accept(await this.gateway.messagesAfter(before, false)));
      } catch {
        return; // the next messages, or the next connection, ask again
      }
      if (this.#timeline.lastSeq === before) this.#shown(this.#timeline.skipGap());
    }
  }

  #shown(messages: readonly Message[]): void {
    const last = messages.at(-1);
    if (last) {
      if (last.author !== "customer") this.#showTyping(false);
      else if (this.#hasHistory) this.#showTyping(true);
      this.#receiver.acknowledge(last.seq);
    }
    this.#hasHistory = true;
    this.#render();
    this.#markRead();
  }

  #render(): void {
    this.#log.render(this.#timeline, this.#typingTimer !== undefined);
  }

  #showTyping(isTyping: boolean): void {
    clearTimeout(this.#typingTimer);
    this.#typingTimer = isTyping
      ? window.setTimeout(() => {
          this.#typingTimer = undefined;
          this.#render();
        }, TYPING_SHOWN_FOR)
      : undefined;
  }

  #showConnected(isConnected: boolean): void {
    if (isConnected) {
      clearTimeout(this.#offlineTimer);
      this.#offlineTimer = undefined;
      this.#panel.showConnection("");
    } else {
      this.#offlineTimer ??= window.setTimeout(
        () => this.#panel.showConnection(this.texts["web_offline"] ?? ""),
        OFFLINE_SHOWN_AFTER,
      );
    }
  }

  /** What others wrote while the panel was closed is unread, also on the next page. */
  #markRead(): void {
    if (this.#panel.isOpen) keep(READ_UP_TO, String(this.#timeline.lastSeq));
    const readUpTo = Number(recall(READ_UP_TO) ?? 0);
    const unread = this.#timeline.messages.filter(
      (message) => message.seq > readUpTo && message.author !== "customer",
    );
    this.#panel.showUnread(this.#panel.isOpen ? 0 : unread.length);
  }

  #startAnew(): void {
    keep(READ_UP_TO, null);
    this.#timeline.reset();
    this.#hasHistory = false;
    this.#receiver.restart();
    this.#render();
  }
}
