// The official Node client, unmodified.
import assert from "node:assert/strict";
import OpenAI from "openai";

const client = new OpenAI({ baseURL: `${process.env.MAINSPRING_URL}/v1`, apiKey: "unused", maxRetries: 0 });
const CHAT = "smollm2-135m-instruct";
let passed = 0;

async function scenario(name, test) {
  await test();
  passed += 1;
  console.log(`  ok ${name}`);
}

await scenario("models are listed", async () => {
  const names = [];
  for await (const model of client.models.list()) names.push(model.id);
  assert.ok(names.includes("manual") && names.includes(CHAT), names.join());
});

await scenario("an app answers with citations, whole and streamed", async () => {
  const request = { model: "manual", messages: [{ role: "user", content: "Which address and port does Mainspring listen on?" }], temperature: 0, seed: 1 };
  const whole = await client.chat.completions.create(request);
  assert.ok(whole.choices[0].message.content.length > 0);
  assert.ok(whole.mainspring.sources.length > 0);
  assert.ok(whole.mainspring.citations.length > 0, JSON.stringify(whole));
  assert.equal(whole.choices[0].message.annotations.length, whole.mainspring.citations.length);
  for (const { url_citation: cited } of whole.choices[0].message.annotations) assert.ok(new URL(cited.url).protocol.startsWith("http"), cited.url);
  let text = "";
  let outcome = null;
  let annotations = null;
  for await (const chunk of await client.chat.completions.create({ ...request, stream: true })) {
    text += chunk.choices[0]?.delta?.content ?? "";
    annotations = chunk.choices[0]?.delta?.annotations ?? annotations;
    outcome = chunk.mainspring?.trace_id ? chunk.mainspring : outcome;
  }
  assert.equal(text, whole.choices[0].message.content);
  assert.deepEqual(outcome.citations, whole.mainspring.citations);
  assert.deepEqual(annotations, whole.choices[0].message.annotations);
});

const say = (content, more) => client.chat.completions.create({ model: CHAT, messages: [{ role: "user", content }], ...more });

await scenario("one seed gives one text", async () => {
  const ask = async (seed) => (await say("Tell me a story.", { seed, temperature: 1, max_tokens: 16 })).choices[0].message.content;
  assert.equal(await ask(7), await ask(7));
  assert.ok(new Set([await ask(1), await ask(2), await ask(3)]).size > 1);
});

await scenario("a stop sequence ends the answer and is not part of it", async () => {
  const content = "Count from 1 to 10.";
  const free = (await say(content, { temperature: 0, max_tokens: 32 })).choices[0].message.content;
  const stopped = (await say(content, { temperature: 0, max_tokens: 32, stop: ["3"] })).choices[0];
  assert.ok(free.includes("3"), free);
  assert.equal(stopped.message.content, free.split("3")[0]);
  assert.equal(stopped.finish_reason, "stop");
});

await scenario("alternatives stream side by side, with usage at the end", async () => {
  const request = { n: 2, seed: 5, temperature: 1, max_tokens: 6 };
  const whole = await say("Name a colour.", request);
  assert.equal(whole.choices.length, 2);
  const texts = ["", ""];
  let usage = null;
  for await (const chunk of await say("Name a colour.", { ...request, stream: true, stream_options: { include_usage: true } })) {
    for (const choice of chunk.choices) texts[choice.index] += choice.delta.content ?? "";
    usage = chunk.usage ?? usage;
  }
  assert.deepEqual(texts, whole.choices.map((choice) => choice.message.content));
  assert.equal(usage.completion_tokens, whole.usage.completion_tokens);
});

await scenario("log probabilities come with each token", async () => {
  const { logprobs, message } = (await say("Say yes.", { logprobs: true, top_logprobs: 2, max_tokens: 4, temperature: 0 })).choices[0];
  assert.equal(logprobs.content.map((token) => token.token).join(""), message.content);
  for (const token of logprobs.content) assert.ok(token.logprob <= 0 && token.top_logprobs.length === 2, JSON.stringify(token));
});

await scenario("an answer under a JSON Schema parses and fits it", async () => {
  const schema = {
    type: "object",
    properties: { colour: { type: "string", enum: ["red", "green"] }, count: { type: "integer", minimum: 0, maximum: 9 } },
    required: ["colour", "count"],
    additionalProperties: false,
  };
  const response_format = { type: "json_schema", json_schema: { name: "thing", schema, strict: true } };
  const answer = await say("Describe a thing. Answer as JSON.", { response_format, max_tokens: 60, temperature: 0 });
  const thing = JSON.parse(answer.choices[0].message.content);
  assert.deepEqual(Object.keys(thing).sort(), ["colour", "count"]);
  assert.ok(["red", "green"].includes(thing.colour) && Number.isInteger(thing.count), JSON.stringify(thing));
});

await scenario("the client's own stream helper reads an answer", async () => {
  const stream = client.chat.completions.stream({ model: CHAT, messages: [{ role: "user", content: "hi" }], max_tokens: 4 });
  const whole = await stream.finalChatCompletion();
  assert.ok(whole.choices[0].message.content.length > 0);
});

await scenario("completions of several prompts stream with usage", async () => {
  const request = { model: CHAT, prompt: ["The sky is", "Grass is"], max_tokens: 4, temperature: 0 };
  const whole = await client.completions.create(request);
  const texts = ["", ""];
  let usage = null;
  for await (const chunk of await client.completions.create({ ...request, stream: true, stream_options: { include_usage: true } })) {
    for (const choice of chunk.choices) texts[choice.index] += choice.text;
    usage = chunk.usage ?? usage;
  }
  assert.deepEqual(texts, whole.choices.map((choice) => choice.text));
  assert.equal(usage.total_tokens, whole.usage.total_tokens);
});

await scenario("embeddings decode", async () => {
  const answer = await client.embeddings.create({ model: "all-minilm-l6-v2", input: ["one", "two"] });
  assert.equal(answer.data.length, 2);
  assert.equal(answer.data[0].embedding.length, 384);
});

await scenario("errors carry the code", async () => {
  await assert.rejects(client.chat.completions.create({ model: "nothing", messages: [{ role: "user", content: "x" }] }), (error) => {
    assert.ok(error instanceof OpenAI.NotFoundError);
    assert.equal(error.code, "model_not_found");
    return true;
  });
  await assert.rejects(say("x", { verbosity: "low" }), (error) => {
    assert.ok(error instanceof OpenAI.BadRequestError);
    assert.equal(error.code, "openai-unsupported-parameter");
    assert.equal(error.param, "verbosity");
    return true;
  });
});

await scenario("an aborted stream ends", async () => {
  const stream = await client.chat.completions.create({ model: CHAT, messages: [{ role: "user", content: "A long story." }], stream: true, max_tokens: 2000 });
  for await (const _ of stream) break;
  const next = await client.chat.completions.create({ model: CHAT, messages: [{ role: "user", content: "hi" }], max_tokens: 2 });
  assert.equal(next.choices.length, 1);
});

console.log(`${passed} passed, 0 failed`);
