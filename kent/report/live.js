// Shows how the running round goes, and takes the new report when a stage has ended.
"use strict";
const line = document.querySelector(".state");
const words = line.querySelector("span:last-of-type");
let bar = document.querySelector("header progress");
let shown = null;

for (const choice of document.querySelectorAll(".theme input")) {
  if (sessionStorage.getItem("theme") === choice.id) choice.checked = true;
  choice.addEventListener("change", () => sessionStorage.setItem("theme", choice.id));
}

async function takeReport() {
  const answer = await fetch("/");
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const part of ["main", "footer", "header nav", "header .headline", "header .when"]) {
    const [old, now] = [document.querySelector(part), fresh.querySelector(part)];
    if (old && now) old.replaceWith(document.adoptNode(now));
    else if (now) document.querySelector("header").append(document.adoptNode(now));
  }
}

function show(message) {
  line.className = `state ${message.lamp}`;
  words.textContent = message.text;
  if (message.total && !bar) {
    bar = document.createElement("progress");
    bar.setAttribute("aria-label", "progress of the phase");
    line.after(bar);
  }
  if (bar) {
    bar.hidden = !message.total;
    bar.max = message.total || 1;
    bar.value = message.done;
  }
  if (shown !== null && shown !== message.report) takeReport();
  shown = message.report;
}

const events = new EventSource("/events");
events.onmessage = event => show(JSON.parse(event.data));
events.onerror = () => {
  line.className = "state stale";
  words.textContent = "The server has ended or cannot be reached; this is what it said last.";
};
