// Tell the server what was heard and when each box was ticked; read all statements out on request.
"use strict";

const clauses = [...document.querySelectorAll("[data-clause]")];
const keep = (name, value) => {
  const form = document.querySelector("form.reading");
  const field = form.elements.namedItem(name) || form.appendChild(Object.assign(document.createElement("input"), { type: "hidden", name }));
  field.value = value;
};

for (const clause of clauses) {
  const place = clause.dataset.clause;
  const sound = clause.querySelector("audio");
  if (sound) {
    keep(`heard_${place}`, "no");
    sound.addEventListener("play", () => {
      for (const other of document.querySelectorAll("audio")) if (other !== sound) other.pause();
    });
    sound.addEventListener("ended", () => keep(`heard_${place}`, "yes"));
  }
  clause.querySelector("input[type=checkbox]").addEventListener("change", (event) => {
    if (event.target.checked) keep(`after_${place}`, Math.round(performance.now()));
  });
}

// Amount, day and recourse: recorded words one after the other.
const figures = document.querySelector("[data-figures]");
if (figures) {
  figures.hidden = false;
  keep("heard_figures", "no");
  const clips = figures.dataset.figures.trim().split(" ");
  figures.addEventListener("click", () => {
    for (const other of document.querySelectorAll("audio")) other.pause();
    const ahead = clips.map((clip) => Object.assign(new Audio(clip), { preload: "auto" }));
    const next = (place) => {
      if (place >= ahead.length) return keep("heard_figures", "yes");
      ahead[place].addEventListener("ended", () => next(place + 1), { once: true });
      ahead[place].play();
    };
    next(0);
  });
}

const all = document.querySelector("[data-listen]");
if (all) {
  all.hidden = false;
  all.addEventListener("click", () => {
    const sounds = clauses.map((clause) => clause.querySelector("audio")).filter(Boolean);
    const next = (place) => {
      if (place >= sounds.length) return;
      sounds[place].addEventListener("ended", () => next(place + 1), { once: true });
      sounds[place].play();
    };
    next(0);
  });
}
