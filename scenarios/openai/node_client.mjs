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
  const request = { model: "manual", messages: [{ role: "user", content: "What is an alias?" }], temperature: 0, seed: 1 };
  const whole = await client.chat.completions.create(request);
  assert.ok(whole.choices[0].message.content.length > 0);
  assert.ok(whole.mainspring.sources.length > 0);
  let text = "";
  let outcome = null;
  for await (const chunk of await client.chat.completions.create({ ...request, stream: true })) {
    text += chunk.choices[0]?.delta?.content ?? "";
    outcome = chunk.mainspring?.trace_id ? chunk.mainspring : outcome;
  }
  assert.equal(text, whole.choices[0].message.content);
  assert.deepEqual(outcome.citations, whole.mainspring.citations);
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
});

await scenario("an aborted stream ends", async () => {
  const stream = await client.chat.completions.create({ model: CHAT, messages: [{ role: "user", content: "A long story." }], stream: true, max_tokens: 2000 });
  for await (const _ of stream) break;
  const next = await client.chat.completions.create({ model: CHAT, messages: [{ role: "user", content: "hi" }], max_tokens: 2 });
  assert.equal(next.choices.length, 1);
});

console.log(`${passed} passed, 0 failed`);
