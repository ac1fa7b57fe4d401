/** The sign-in form. */

import { element } from "../dom";

/** Calls `submit` with what was typed; the form is locked until that has ended. */
export function signInForm(
  submit: (email: string, password: string) => Promise<void>,
): HTMLFormElement {
  const email = element("input", {
    type: "email",
    id: "email",
    autocomplete: "username",
    required: true,
    "data-testid": "email",
  });
  const password = element("input", {
    type: "password",
    id: "password",
    autocomplete: "current-password",
    required: true,
    "data-testid": "password",
  });
  const button = element("button", { class: "primary", "data-testid": "sign-in" }, "Sign in");
  const form = element(
    "form",
    { class: "sign-in", method: "post" },
    element("h2", {}, "Sign in"),
    element("label", { for: "email" }, "E-mail"),
    email,
    element("label", { for: "password" }, "Password"),
    password,
    button,
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    button.disabled = true;
    void submit(email.value, password.value).finally(() => (button.disabled = false));
  });
  return form;
}
