// SPDX-License-Identifier: MIT
// Prints the structs of the example in Rust as tests/abi/layout.py's program prints those of C.
#[path = "../../host-api/examples/rust/structs.rs"]
mod structs;

fn main() {
	let all: Vec<String> = structs::layout().iter().map(|(name, size, fields)| {
		let list: Vec<String> = fields.iter()
			.map(|(field, offset, size)| format!("\"{}\": [{}, {}]", field.trim_start_matches("r#"), offset, size))
			.collect();
		format!("\"{}\": {{\"size\": {}, \"fields\": {{{}}}}}", name, size, list.join(", "))
	}).collect();
	println!("{{{}}}", all.join(",\n"));
}
