use serde_json::{Value, json};

use crate::world::{World, examples, signature};

/// How many deliveries that are almost like GitHub's are sent.
const COUNT: usize = 100_000;
/// Tasks that send them.
const TASKS: usize = 4;

/// A small generator of numbers, the same in each run (xorshift64).
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(end).unwrap()).unwrap()
    }
}

/// The examples without their many addresses, which nobody reads, so that a mutation hits what is read.
fn lean(value: &Value) -> Value {
    match value {
        Value::Object(map) => map.iter().filter(|(key, _)| !key.ends_with("url")).map(|(key, item)| (key.clone(), lean(item))).collect(),
        Value::Array(items) => items.iter().map(lean).collect(),
        other => other.clone(),
    }
}

/// Changes a value somewhere in it.
fn mutate(value: &mut Value, chance: &mut Chance) {
    match value {
        Value::Object(map) if !map.is_empty() && chance.below(8) != 0 => {
            let at = chance.below(map.len());
            let key = map.keys().nth(at).cloned().unwrap();
            match chance.below(40) {
                0 => drop(map.remove(&key)),
                _ => map.get_mut(&key).into_iter().for_each(|item| mutate(item, chance)),
            }
        }
        Value::Array(items) if !items.is_empty() && chance.below(8) != 0 => {
            let at = chance.below(items.len());
            mutate(&mut items[at], chance);
        }
        other => *other = replacement(other, chance),
    }
}

fn replacement(value: &Value, chance: &mut Chance) -> Value {
    match chance.below(10) {
        0 => Value::Null,
        1 => json!(-1),
        2 => json!(i64::MAX),
        3 => json!(""),
        4 => json!([value]),
        5 => json!({"x": value}),
        6 => json!("a".repeat(300)),
        7 => json!("\u{202e}../../<script>@all\n/preview delete"),
        8 => json!("0".repeat(40)),
        _ => json!(1e300),
    }
}

/// Changes bytes, so that what comes out is most often no JSON.
fn damage(body: &mut Vec<u8>, chance: &mut Chance) {
    for _ in 0..=chance.below(3) {
        let at = chance.below(body.len());
        match chance.below(3) {
            0 => body.truncate(at.max(1)),
            1 => body[at] = u8::try_from(chance.below(256)).unwrap(),
            _ => body.insert(at, u8::try_from(chance.below(256)).unwrap()),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_almost_a_delivery_of_githubs_ends_in_4xx_or_202_without_a_write() {
    let tasks: Vec<_> = (0..TASKS).map(|task| tokio::spawn(send_many(u64::try_from(task).unwrap()))).collect();
    let mut counts = [0_usize; 2];
    for task in tasks {
        // A panic in the endpoint ends the task.
        let (refused, taken) = task.await.unwrap();
        counts = [counts[0] + refused, counts[1] + taken];
    }
    assert_eq!(counts.iter().sum::<usize>(), COUNT);
    assert!(counts.iter().all(|count| *count > COUNT / 20), "both ends are seen: {counts:?}");
}

async fn send_many(seed: u64) -> (usize, usize) {
    // Nothing that the examples are about is listed, and what is made up by chance is not either.
    let world = World::new(json!({"repositories": [{"name": "acme/web"}], "trigger": {"branches": ["**"]}}), Vec::new());
    let examples: Vec<(String, Value)> = examples().into_iter().map(|e| (e.event, lean(&e.payload))).collect();
    let mut chance = Chance((seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let (mut refused, mut taken) = (0, 0);
    for _ in 0..COUNT / TASKS {
        let (event, payload) = &examples[chance.below(examples.len())];
        let mut payload = payload.clone();
        for _ in 0..=chance.below(3) {
            mutate(&mut payload, &mut chance);
        }
        let mut body = payload.to_string().into_bytes();
        if chance.below(3) == 0 {
            damage(&mut body, &mut chance);
        }
        let (status, answer) = world.deliver(event, body).await;
        match status {
            400..=499 => refused += 1,
            202 | 200 => taken += 1,
            other => panic!("{other} {answer}"),
        }
        assert_eq!(world.notebook.writes(), 0, "{answer}");
    }
    (refused, taken)
}

#[tokio::test]
async fn a_signature_of_other_bytes_is_no_signature() {
    let world = World::new(json!({"repositories": [{"name": "Codertocat/Hello-World"}], "trigger": {"branches": ["**"]}}), Vec::new());
    let mut chance = Chance(7);
    for example in examples() {
        let mut body = example.payload.to_string().into_bytes();
        let signed = signature(&body);
        let at = chance.below(body.len());
        body[at] ^= 1;
        assert_eq!(world.send(&example.event, body, &signed).await.0, 401);
    }
    assert_eq!(world.notebook.writes(), 0);
}
