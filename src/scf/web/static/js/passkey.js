// Passkeys: the browser's part. Without JavaScript a one-time link does the same.
"use strict";
(() => {
  const bytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
  const text = (buffer) =>
    btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  const send = async (path, body) => {
    const answer = await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json", Accept: "application/json" },
      body: JSON.stringify(body ?? {}),
    });
    const content = await answer.json();
    if (!answer.ok) throw new Error(content.detail);
    return content;
  };
  const plain = (credential) => {
    const response = {};
    for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
      if (credential.response[name]) response[name] = text(credential.response[name]);
    }
    return { id: credential.id, rawId: text(credential.rawId), type: credential.type, response, clientExtensionResults: {} };
  };
  const make = async (form) => {
    const options = await send("/passkeys/options");
    options.challenge = bytes(options.challenge);
    options.user.id = bytes(options.user.id);
    options.excludeCredentials = (options.excludeCredentials || []).map((one) => ({ ...one, id: bytes(one.id) }));
    const made = await navigator.credentials.create({ publicKey: options });
    return send("/passkeys", { credential: plain(made), name: form.dataset.device });
  };
  const enter = async (form) => {
    const options = await send("/passkeys/enter/options");
    options.challenge = bytes(options.challenge);
    delete options.allowCredentials;
    const found = await navigator.credentials.get({ publicKey: options });
    return send("/passkeys/enter", { credential: plain(found), next: form.dataset.next });
  };
  const prove = async () => {
    const options = await send("/passkeys/prove/options");
    options.challenge = bytes(options.challenge);
    options.allowCredentials = (options.allowCredentials || []).map((one) => ({ ...one, id: bytes(one.id) }));
    const found = await navigator.credentials.get({ publicKey: options });
    return send("/passkeys/prove", { credential: plain(found) });
  };
  // In a form that signs, pressing its button asks for the passkey first: one press, one touch.
  for (const box of document.querySelectorAll("[data-passkey=prove]")) {
    if (!window.PublicKeyCredential) continue;
    box.hidden = false;
    const [form, button, line] = [box.closest("form"), box.querySelector("button"), box.querySelector("[role=status]")];
    const ask = async () => {
      line.textContent = "";
      try {
        await prove();
        button.hidden = true;
        line.textContent = box.dataset.done;
        box.dataset.passkey = "proved";
        return true;
      } catch (error) {
        line.textContent = error.name === "Error" ? error.message : box.dataset.failed;
        return false;
      }
    };
    button.addEventListener("click", ask);
    form.addEventListener("submit", (event) => {
      if (box.dataset.passkey === "proved" || event.submitter?.name === "prove" || event.submitter?.hasAttribute("formaction") || form.elements.code?.value) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      ask().then((is) => is && form.requestSubmit(event.submitter));
    }, { capture: true });
  }
  for (const form of document.querySelectorAll("[data-passkey=make], [data-passkey=enter]")) {
    if (!window.PublicKeyCredential) continue;
    form.hidden = false;
    const button = form.querySelector("button");
    const line = form.querySelector("[role=status]");
    button.addEventListener("click", async () => {
      button.disabled = true;
      line.textContent = "";
      try {
        const done = await (form.dataset.passkey === "make" ? make(form) : enter(form));
        location.assign(done.to);
      } catch (error) {
        line.textContent = error.name === "Error" ? error.message : form.dataset.failed;
        button.disabled = false;
      }
    });
  }
})();
