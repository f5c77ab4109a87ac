// Lists the operations of openapi.json and sends requests to them. It writes text and never markup,
// keeps nothing when the page is closed, and talks to nobody but this server.
"use strict";

const root = document.getElementById("api");
const base = root.dataset.base;

/** Makes an element with attributes and children; text stays text. */
function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

/** A labelled field; returns the whole and what is typed into. */
function field(id, label, input) {
  input.id = id;
  return make("div", { class: "field" }, make("label", { for: id }, label), input);
}

/** What a value of this schema may look like. */
function example(schema, document, depth = 0) {
  if (!schema || depth > 6) return null;
  if (schema.$ref) return example(find(document, schema.$ref), document, depth + 1);
  if (schema.example !== undefined) return schema.example;
  if (schema.oneOf || schema.anyOf || schema.allOf) {
    const choices = schema.oneOf || schema.anyOf || schema.allOf;
    return example(choices.find((choice) => choice.type !== "null"), document, depth + 1);
  }
  if (schema.enum) return schema.enum[0];
  const type = Array.isArray(schema.type) ? schema.type.find((one) => one !== "null") : schema.type;
  switch (type) {
    case "object": {
      const members = Object.entries(schema.properties || {});
      return Object.fromEntries(members.map(([name, one]) => [name, example(one, document, depth + 1)]));
    }
    case "array": return [example(schema.items, document, depth + 1)];
    case "boolean": return false;
    case "integer":
    case "number": return 0;
    default: return schema.format === "email" ? "ann@example.org" : "";
  }
}

/** What a reference inside the document stands for. */
function find(document, reference) {
  return reference.slice(2).split("/").reduce((at, name) => at && at[name], document);
}

/** One operation, with a form to send it. */
function operation(document, path, method, described, token) {
  const id = `${method}${path}`.replace(/[^a-z0-9]+/gi, "-");
  const inputs = (described.parameters || []).map((parameter) => {
    const input = make("input", { type: "text", autocomplete: "off", spellcheck: "false" });
    if (parameter.required) input.required = true;
    return { parameter, input };
  });
  const schema = described.requestBody?.content?.["application/json"]?.schema;
  const body = schema && make("textarea", { rows: 6, spellcheck: "false" });
  if (body) body.value = JSON.stringify(example(schema, document), null, 2);

  const answer = make("div", { role: "status" });
  const form = make("form", {},
    ...inputs.map(({ parameter, input }) => field(`${id}-${parameter.name}`, `${parameter.name} (${parameter.in})`, input)),
    ...(body ? [field(`${id}-body`, "Body (JSON)", body)] : []),
    make("button", { type: "submit" }, "Send"));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const query = new URLSearchParams();
    let target = path;
    for (const { parameter, input } of inputs) {
      if (parameter.in === "path") target = target.replace(`{${parameter.name}}`, encodeURIComponent(input.value));
      else if (parameter.in === "query" && input.value) query.set(parameter.name, input.value);
    }
    const headers = { accept: "application/json" };
    if (body && body.value.trim()) headers["content-type"] = "application/json";
    if (described.security?.length && token.value.trim()) headers.authorization = `Bearer ${token.value.trim()}`;
    answer.replaceChildren();
    try {
      const started = performance.now();
      const reply = await fetch(base + target + (query.size ? `?${query}` : ""), {
        method: method.toUpperCase(),
        headers,
        body: body && body.value.trim() ? body.value : undefined,
        credentials: "omit",
      });
      const text = await reply.text();
      const took = Math.round(performance.now() - started);
      let shown = text;
      try {
        const value = JSON.parse(text);
        if (typeof value.access_token === "string") token.value = value.access_token;
        shown = JSON.stringify(value, null, 2);
      } catch { /* not JSON: shown as it came */ }
      answer.append(make("p", { class: "small" }, `${reply.status} ${reply.statusText} in ${took} ms, request ${reply.headers.get("x-request-id")}`));
      if (shown) answer.append(make("pre", { tabindex: "0" }, shown));
    } catch (error) {
      answer.append(make("p", { class: "alert" }, `The request could not be sent: ${error.message}`));
    }
  });

  const answers = Object.entries(described.responses || {}).map(([status, response]) =>
    make("li", {}, make("code", {}, status), " ", (response.description || "").replaceAll("`", "")));
  const content = make("div", {});
  if (described.description) content.append(make("p", {}, described.description));
  if (described.security?.length) content.append(make("p", { class: "small" }, "Needs an access token."));
  content.append(form, answer, make("details", {}, make("summary", {}, "Answers"), make("ul", { class: "small" }, ...answers)));
  return make("details", { class: "operation", id },
    make("summary", {},
      make("code", { class: "method" }, method.toUpperCase()),
      make("code", {}, path),
      make("span", { class: "small" }, described.summary || "")),
    content);
}

async function show() {
  const reply = await fetch(`${base}/openapi.json`, { credentials: "omit" });
  if (!reply.ok) throw new Error(`openapi.json answered ${reply.status}`);
  const document = await reply.json();
  const token = make("input", { type: "text", autocomplete: "off", spellcheck: "false" });
  root.append(make("div", { class: "token" },
    field("access-token", "Access token (kept until this page is closed; a sign-in below fills it in)", token)));
  for (const tag of document.tags || []) {
    const operations = Object.entries(document.paths).flatMap(([path, item]) =>
      Object.entries(item)
        .filter(([, described]) => described.tags?.includes(tag.name))
        .map(([method, described]) => operation(document, path, method, described, token)));
    if (operations.length) {
      root.append(make("h2", {}, tag.name), make("p", { class: "small" }, tag.description || ""), ...operations);
    }
  }
}

show().catch((error) => {
  root.append(make("p", { class: "alert", role: "alert" }, `The description could not be read: ${error.message}`));
});
