// The signing key of this browser on pages: made when a firm joins or a person asks for one, signing when one confirms.
// Without JavaScript a wallet or a program signs, and its signature is pasted.
import { addressOf, fresh, fromSpare, keep, known, signed, spare } from "./key-store.js";

const there = window.indexedDB && window.crypto?.subtle;

// Joining: the key is made when the form is sent, and only its address is.
for (const form of document.querySelectorAll("form[data-key-made-here]")) {
  if (!there) break;
  const field = form.elements.address;
  const own = form.querySelector("[data-own-address]");
  own.hidden = false;
  own.querySelector(".place").append(field.closest(".answer"));
  field.required = false;
  let made = false;
  form.addEventListener("submit", (event) => {
    if (made || field.value.trim()) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    const last = sessionStorage.getItem("scf-new-address");  // a second try joins with the same key
    const going = last ? Promise.resolve(last) : fresh();
    going.then((address) => {
      sessionStorage.setItem("scf-new-address", address);
      field.value = address;
      made = true;
      form.requestSubmit(event.submitter);
    });
  }, { capture: true });
}

// One document lies in the page; several are fetched as the same file a wallet or a program takes.
const lines = async (key, box, form) => {
  if (box.dataset.typed) return signed(key, JSON.parse(box.dataset.typed), box.dataset.digest);
  const answer = await fetch("/to-sign", { method: "POST", body: new URLSearchParams({ sealed: form.elements.sealed.value }) });
  if (!answer.ok) throw new Error(String(answer.status));
  const made = [];
  for (const one of (await answer.json()).documents) made.push(await signed(key, one));
  return made.join("\n");
};

// Confirming: sign with the key that is here; else offer to bring it, or to paste a signature made elsewhere.
for (const box of document.querySelectorAll("[data-own-key]")) {
  if (!there) break;
  const form = box.closest("form");
  const [paste, missing, line] = [box.querySelector("[data-paste]"), box.querySelector("[data-bring]"), box.querySelector("[data-line]")];
  const field = paste.querySelector("textarea");
  const say = (words) => { line.hidden = !words; line.textContent = words; };
  const show = async () => {
    const is = await known(box.dataset.ownKey).catch(() => null);
    field.required = !is;
    paste.open = !is;
    missing.hidden = Boolean(is);
    missing.open = !is;
    say(is ? line.dataset.here : "");
    return is;
  };
  await show();
  form.addEventListener("submit", (event) => {
    if (field.value.trim() || event.submitter?.name === "prove" || event.submitter?.hasAttribute("formaction")) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    known(box.dataset.ownKey)
      .then((key) => key && lines(key, box, form))
      .then((made) => {
        if (!made) return;
        field.value = made;
        form.requestSubmit(event.submitter);
      })
      .catch(() => say(line.dataset.differs));
  }, { capture: true });
  missing.querySelector("button").addEventListener("click", async () => {
    const [file, passphrase] = [missing.querySelector("input[type=file]").files[0], missing.querySelector("input[type=password]").value];
    try {
      const key = await fromSpare(await file.text(), passphrase);
      if (addressOf(key).toLowerCase() !== box.dataset.ownKey.toLowerCase()) throw new Error("other");
      await keep(key);
      await show();
    } catch {
      say(line.dataset.failed);
    }
  });
}

// Where the signature covers how the text was read, the server first says what that is; with the key at hand one press
// does both. Nothing else of what is signed may differ from what was shown.
const sameBut = (one, other, ...free) => {
  const plain = ({ message, ...rest }) => {
    const kept = { ...message };
    for (const name of free) delete kept[name];
    return JSON.stringify([rest, kept]);
  };
  return plain(one) === plain(other);
};
const readAndSign = async (form, box) => {
  const key = await known(box.dataset.readsFirst);
  if (!key) return false;
  const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)) });
  if (!answer.ok) return false;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const next = page.querySelector("[data-own-key][data-typed]");
  if (!next || !sameBut(JSON.parse(box.dataset.typed), JSON.parse(next.dataset.typed), "reading", "deadline")) return false;
  next.querySelector("textarea").value = await signed(key, JSON.parse(next.dataset.typed), next.dataset.digest);
  const ready = document.adoptNode(next.closest("form"));
  ready.hidden = true;
  document.body.append(ready);
  ready.submit();
  return true;
};
for (const box of document.querySelectorAll("[data-reads-first]")) {
  if (!there) break;
  const form = box.closest("form");
  let [plainly, busy] = [false, false];
  form.addEventListener("submit", (event) => {
    const asked = form.querySelector("[data-passkey=prove]:not([hidden])"); // its own press comes first
    if (plainly || asked || event.submitter?.name === "prove" || event.submitter?.hasAttribute("formaction")) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (busy) return;
    busy = true;
    const onwards = (done) => {
      if (done) return;
      plainly = true;
      form.requestSubmit(event.submitter);
    };
    readAndSign(form, box).then(onwards, () => onwards(false));
  }, { capture: true });
}

// A key for somebody the operators enrol: its address is what they need.
for (const box of document.querySelectorAll("[data-new-key]")) {
  if (!there) break;
  const [field, copy, button] = [box.querySelector("input"), document.querySelector("[data-spare]"), box.querySelector("button")];
  const show = (address) => {
    if (!address) return;
    field.value = copy.dataset.spare = address;
    field.closest("div").hidden = false;
    button.hidden = true;
    return offer(copy);
  };
  box.hidden = false;
  button.addEventListener("click", () => fresh().then((address) => (localStorage.setItem("scf-new-key", address), show(address))));
  await show(localStorage.getItem("scf-new-key"));
}

// Where one is known: is the key here, and a spare copy of it.
async function offer(box) {
  const key = await known(box.dataset.spare).catch(() => null);
  if (!key) return;
  box.hidden = false;
  box.querySelector("button").addEventListener("click", async () => {
    const field = box.querySelector("input");
    const line = box.querySelector("[role=status]");
    if (field.value.length < 10) {
      line.textContent = line.dataset.short;
      return;
    }
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([await spare(key, field.value)], { type: "application/json" }));
    link.download = `scf-key-${box.dataset.spare.slice(2, 10)}.json`;
    link.click();
    line.textContent = line.dataset.saved;
  });
}
for (const box of document.querySelectorAll("[data-spare]:not([data-spare=''])")) if (there) await offer(box);
