// SPDX-License-Identifier: MIT
// openai.mjs PORT KEY: streams through the npm package openai.
import OpenAI from "openai";

import { prompt, serve } from "./orders.mjs";

const [port, apiKey] = process.argv.slice(2);
const client = new OpenAI({ baseURL: `http://127.0.0.1:${port}/v1`, apiKey });

await serve(async (tokens, onEvent) => {
	const stream = await client.completions.create({
		model: "model", prompt, max_tokens: tokens, temperature: 0, ignore_eos: true, stream: true,
	});
	for await (const chunk of stream)
		if (chunk.choices[0]?.text)
			onEvent();
});
