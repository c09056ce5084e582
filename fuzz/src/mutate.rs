//! A bounded, seeded loop of mutations for machines without a nightly compiler: `mutate [seconds] [seed]`, so long for
//! each target. Blind to coverage, so it leans on the words of the dictionary.

use std::fs;
use std::panic::catch_unwind;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use fuzz::{TARGETS, Target};

/// Longest input, in bytes.
const LONGEST: usize = 4096;
/// Inputs that are kept to mutate further.
const KEPT: usize = 256;
/// Pieces that the code under test looks at.
const WORDS: [&str; 40] = [
    "shop", "redis.shop", "db.shop.svc", ".svc.cluster.local", "shop.example.com", "api.", "://", "%2F", "%3A", "\\n", "\\u0026", "\\/", "@", ":5432",
    ":", "=", "${", "{{ ", "}}", "\n", "# ", "\"", "'", ",", "é", "�", ".", "..", "-", "_", "/", "//", "sha256:", "0a0a0a0a", "postgres://u:p@",
    "password=", "10.0.0.1", ".rds.amazonaws.com", "localhost", "\u{1F600}",
];

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<u64>().unwrap_or(0));
    let (seconds, seed) = (arguments.next().unwrap_or(60), arguments.next().unwrap_or(1));
    let sound = TARGETS.iter().all(|target| run(target, Duration::from_secs(seconds), seed));
    if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn run((name, target): &Target, time: Duration, seed: u64) -> bool {
    let mut inputs = seeds(name);
    let mut chance = Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let (begun, mut count) = (Instant::now(), 0_u64);
    while begun.elapsed() < time {
        let mut input = inputs[chance.below(inputs.len())].clone();
        for _ in 0..=chance.below(6) {
            mutate(&mut input, &inputs, &mut chance);
        }
        input.truncate(LONGEST);
        if catch_unwind(|| target(&input)).is_err() {
            eprintln!("{name}: found with seed {seed} after {count} inputs: {:?}", String::from_utf8_lossy(&input));
            return false;
        }
        if inputs.len() < KEPT {
            inputs.push(input);
        } else if chance.below(8) == 0 {
            let at = chance.below(KEPT);
            inputs[at] = input;
        }
        count += 1;
    }
    println!("{name}: {count} inputs in {} s, no panic", time.as_secs());
    true
}

/// What stands in `seeds/<target>`, and nothing at all.
fn seeds(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(name);
    let files = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut seeds: Vec<_> = files.filter_map(|path| fs::read(path).ok()).collect();
    seeds.sort();
    seeds.push(Vec::new());
    seeds
}

fn mutate(input: &mut Vec<u8>, others: &[Vec<u8>], chance: &mut Chance) {
    let at = chance.below(input.len() + 1);
    match chance.below(6) {
        0 | 1 => drop(input.splice(at..at, WORDS[chance.below(WORDS.len())].bytes())),
        2 => drop(input.drain(at..(at + 1 + chance.below(8)).min(input.len()).max(at))),
        3 if at < input.len() => input[at] ^= 1 << chance.below(8),
        4 => {
            let other = &others[chance.below(others.len())];
            let from = chance.below(other.len() + 1);
            drop(input.splice(at.., other[from..].iter().copied()));
        }
        _ => input.insert(at, chance.below(256) as u8),
    }
}

/// Marsaglia's xorshift.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end.max(1) as u64) as usize
    }
}
