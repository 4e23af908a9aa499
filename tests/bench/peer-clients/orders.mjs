// SPDX-License-Identifier: MIT
// What streams.h is for programs in C: orders "TOKENS STREAMS" on standard input, an answer of NAME=NUMBER to each. One stream.
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

export const prompt = "It was a fine morning in";

function statusKib(name) {
	return Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(readFileSync("/proc/self/status", "utf8"))[1]);
}

// stream(tokens, onEvent): one stream; onEvent() for each token.
export async function serve(stream) {
	console.log("ready");
	for await (const line of createInterface({ input: process.stdin })) {
		const tokens = Number(line.split(" ")[0]);
		let events = 0, first = 0;
		const begin = performance.now(), cpu = process.cpuUsage();
		await stream(tokens, () => {
			events++;
			first ||= performance.now();
		});
		const used = process.cpuUsage(cpu), end = performance.now();
		console.log(`events=${events} cpu_us=${used.user + used.system} first_ms=${first - begin} wall_ms=${end - begin} ` +
			    `peak_kib=${statusKib("VmHWM")}`);
	}
}
