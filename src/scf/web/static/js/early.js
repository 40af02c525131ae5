// The slider beside the number field, prices that follow it, and how long a firm price still stands.
"use strict";

const grouped = (minor, digits) => {
  const text = String(minor).padStart(digits + 1, "0");
  const whole = text.slice(0, text.length - digits).replace(/\B(?=(\d{3})+$)/g, ",");
  return digits ? `${whole}.${text.slice(-digits)}` : whole;
};

// What is shown is what is signed: while other figures are on their way, the old ones cannot be taken.
let latest = 0;
const stale = (figures) => {
  figures.setAttribute("aria-busy", "true");
  document.getElementById("net").setAttribute("aria-busy", "true");
  for (const button of figures.querySelectorAll("button")) button.disabled = true;
};
const refresh = async (form) => {
  const figures = document.getElementById("figures");
  if (!figures) return;
  const mine = (latest += 1);
  stale(figures);
  const address = `${form.action}?${new URLSearchParams(new FormData(form))}`;
  try {
    const page = new DOMParser().parseFromString(await (await fetch(address)).text(), "text/html");
    const fresh = page.getElementById("figures");
    if (mine !== latest) return;
    if (!fresh || page.querySelector("[role=alert]")) return location.assign(address);
    figures.replaceWith(document.adoptNode(fresh));
    document.getElementById("net").replaceWith(document.adoptNode(page.getElementById("net")));
    history.replaceState(null, "", address);
  } catch {
    if (mine === latest) location.assign(address);
  }
};

for (const form of document.querySelectorAll("form[data-amount]")) {
  const field = form.querySelector("#amount");
  const slide = form.querySelector("input[type=range]");
  const digits = Number(slide.dataset.digits);
  const most = Number(slide.max);
  const prices = form.method === "get";
  slide.hidden = false;
  form.querySelector(".shares").hidden = false;
  const say = (minor) => {
    field.value = grouped(minor, digits);
    const figures = document.getElementById("figures");
    if (prices && figures) stale(figures);
  };
  const read = () => {
    const found = /^(\d+)(?:\.(\d*))?$/.exec(field.value.replaceAll(",", "").trim());
    if (!found || (found[2] || "").length > digits) return null;
    return Number(found[1]) * 10 ** digits + Number((found[2] || "").padEnd(digits, "0"));
  };
  if (!prices) slide.value = read() ?? slide.min; // an empty field is not the whole
  const settle = (minor) => {
    slide.value = minor;
    say(minor);
    if (prices) refresh(form);
  };
  slide.addEventListener("input", () => {
    const minor = Number(slide.value);
    say(minor + Number(slide.step) > most ? most : minor);
  });
  slide.addEventListener("change", () => prices && refresh(form));
  field.addEventListener("change", () => {
    const minor = read();
    if (minor !== null && minor >= 1 && minor <= most) settle(minor);
    else if (prices) form.requestSubmit(); // the server says what is wrong
  });
  for (const button of form.querySelectorAll("[data-share]")) {
    button.addEventListener("click", () => settle(Math.max(1, Math.floor((most * Number(button.dataset.share)) / 100))));
  }
}

const started = performance.now();
const clocks = [...document.querySelectorAll(".countdown")];
const tick = () => {
  for (const one of clocks) {
    const left = Math.floor(Number(one.dataset.seconds) - (performance.now() - started) / 1000);
    const two = (value) => String(value).padStart(2, "0");
    one.querySelector("[data-clock]").textContent =
      left > 0 ? `${Math.floor(left / 3600)}:${two(Math.floor(left / 60) % 60)}:${two(left % 60)}` : one.dataset.over;
    one.hidden = false;
  }
};
if (clocks.length) {
  tick();
  setInterval(tick, 1000);
}
