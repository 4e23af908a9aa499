// SPDX-License-Identifier: MIT
// node_llama.mjs MODEL CONTEXT: streams through the npm package node-llama-cpp, which computes in this process; the order "load"
// says how long it takes from its import until it could compute.
import { prompt, serve } from "./orders.mjs";

const [modelPath, contextSize] = process.argv.slice(2);
const begin = performance.now();
const { getLlama } = await import("node-llama-cpp");
const llama = await getLlama({ gpu: false, build: "never", progressLogs: false });
const model = await llama.loadModel({ modelPath });
const context = await model.createContext({ contextSize: Number(contextSize), threads: 1 });
console.log(`ready_ms=${performance.now() - begin}`);
const sequence = context.getSequence();

await serve(async (tokens, onEvent) => {
	await sequence.clearHistory();
	const ids = model.tokenize(prompt);
	if (model.tokens.bos !== null && model.tokens.shouldPrependBosToken)
		ids.unshift(model.tokens.bos);
	let left = tokens;
	for await (const id of sequence.evaluate(ids, { temperature: 0, yieldEogToken: true })) {
		if (model.detokenize([id]) !== undefined)
			onEvent();
		if (--left === 0)
			break;
	}
});
await llama.dispose();
