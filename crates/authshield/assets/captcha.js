// Does the work that a form asks for, while somebody fills it in: looks for the number that our server wants
// (ALTCHA, version 2: PBKDF2, by the browser's own hand and beside this thread), and lets the form wait for
// it. It talks to nobody but this server, and writes text and never markup.
"use strict";

const place = document.getElementById("captcha");
const form = place.closest("form");
const words = place.dataset;
// A challenge lasts ten minutes; whoever takes longer to fill in the form gets another.
const LASTS = 8 * 60 * 1000;
const AT_ONCE = Math.min(Math.max(navigator.hardwareConcurrency || 2, 2), 8);

const answer = document.createElement("input");
answer.type = "hidden";
answer.name = "captcha_token";
form.append(answer);

let work = null;
let until = 0;

/** Says how it stands; what is urgent is read aloud at once. */
function tell(text, urgent = false) {
  place.className = urgent ? "alert" : "small";
  place.setAttribute("role", urgent ? "alert" : "status");
  place.textContent = text;
}

function bytes(hex) {
  return Uint8Array.from(hex.match(/../g), (pair) => parseInt(pair, 16));
}

function hex(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Tries numbers until the key of one begins as it must. */
async function solve({ parameters, signature }) {
  const [nonce, salt] = [bytes(parameters.nonce), bytes(parameters.salt)];
  const how = { name: "PBKDF2", hash: "SHA-256", salt, iterations: parameters.cost };
  const attempt = async (counter) => {
    const password = new Uint8Array(nonce.length + 4);
    password.set(nonce);
    new DataView(password.buffer).setUint32(nonce.length, counter);
    const key = await crypto.subtle.importKey("raw", password, "PBKDF2", false, ["deriveBits"]);
    const bits = await crypto.subtle.deriveBits(how, key, parameters.keyLength * 8);
    return { counter, derivedKey: hex(new Uint8Array(bits)) };
  };
  for (let first = 0; ; first += AT_ONCE) {
    const tried = await Promise.all(Array.from({ length: AT_ONCE }, (_, more) => attempt(first + more)));
    const solution = tried.find(({ derivedKey }) => derivedKey.startsWith(parameters.keyPrefix));
    if (solution) return btoa(JSON.stringify({ challenge: { parameters, signature }, solution }));
  }
}

/** Asks for a challenge and solves it; says whether that went well. */
async function once() {
  answer.value = "";
  tell(words.working);
  try {
    const asked = Date.now();
    const reply = await fetch(words.challenge, { credentials: "omit" });
    if (!reply.ok) throw new Error(`the challenge was answered ${reply.status}`);
    answer.value = await solve(await reply.json());
    until = asked + LASTS;
    tell(words.done);
    return true;
  } catch {
    tell(words.failed, true);
    return false;
  }
}

/** The same, remembered; what failed is tried again when the form is sent. */
function begin() {
  const mine = once().then((done) => {
    if (!done && work === mine) work = null;
    return done;
  });
  return mine;
}

form.addEventListener("submit", async (event) => {
  if (answer.value && Date.now() < until) return;
  event.preventDefault();
  if (work === null || answer.value) work = begin();
  const mine = work;
  const done = await mine;
  // Whoever pressed twice sends it once.
  if (work !== mine) return;
  work = null;
  if (done) form.requestSubmit(event.submitter);
});

// Somebody who comes back to the page finds an answer that was used.
addEventListener("pageshow", (event) => {
  if (event.persisted) work = begin();
});

work = begin();
