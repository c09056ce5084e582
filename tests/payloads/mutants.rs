use std::collections::{BTreeMap, BTreeSet};

use kube::ResourceExt;
use preview_env::api::environment::{SourceState, Verb};
use preview_env::api::{self, PreviewEnvironment};
use preview_env::intent::{CommandFact, Fact};
use serde_json::{Value, json};

use crate::schema::Schema;
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

/// What the examples are about: the number of each repository, by its name, and an environment of everything in them.
struct Scene {
    numbers: BTreeMap<String, i64>,
    environments: Vec<PreviewEnvironment>,
    schema: Schema,
}

impl Scene {
    async fn new() -> Self {
        let mut numbers = BTreeMap::new();
        for example in examples() {
            let (name, id) = (&example.payload["repository"]["full_name"], &example.payload["repository"]["id"]);
            if let (Some(name), Some(id)) = (name.as_str(), id.as_i64()) {
                numbers.entry(name.to_owned()).or_insert(id);
            }
        }
        let mut environments = BTreeMap::new();
        for example in examples() {
            let world = World::knowing(&numbers, everything(&numbers), Vec::new());
            world.deliver(&example.event, example.payload.to_string().into_bytes()).await;
            for fact in world.notebook.take().0 {
                environments.entry(fact.environment.to_string()).or_insert_with(|| environment(&fact));
            }
        }
        Self { numbers, environments: environments.into_values().collect(), schema: Schema::new() }
    }

    fn world(&self) -> World {
        World::knowing(&self.numbers, everything(&self.numbers), self.environments.clone())
    }

    /// Stops where a fact is not what that delivery says of a repository that is listed, or is recorded for something else, or as
    /// what the API server would refuse.
    fn judge(&self, body: &[u8], fact: &Fact) {
        self.schema.takes(fact);
        let said = read(body);
        let (source, name) = (&fact.source, fact.environment.to_string());
        assert!(self.numbers.values().any(|id| *id == source.repository_id), "a repository that nobody lists: {source:?}");
        assert!(ids(&said).contains(&source.repository_id), "a repository that it does not name: {source:?} {said}");
        let there = self.environments.iter().find(|environment| environment.name_any() == name).map(|there| &there.spec.sources[0]);
        if let Some(there) = there {
            let subject = |source: &api::Source| (source.repository_id, source.pull, source.branch.clone());
            assert_eq!(subject(source), subject(there), "{name} is of something else");
        }
        if source.state == SourceState::Gone {
            assert_eq!(Some(source), there.map(|there| api::Source { state: SourceState::Gone, ..there.clone() }).as_ref());
        } else if let Some(number) = source.pull {
            let pull = &said["pull_request"];
            assert_eq!((&pull["number"], &pull["head"]["sha"]), (&json!(number), &json!(source.revision)), "{said}");
            assert_eq!(pull["base"]["repo"]["id"], json!(source.repository_id), "{said}");
        } else {
            let branch = source.branch.as_ref().unwrap();
            assert_eq!(said["ref"], json!(format!("refs/heads/{branch}")));
            assert!([&said["after"], &said["before"]].contains(&&json!(source.revision)), "{said}");
        }
    }

    fn judge_command(&self, body: &[u8], fact: &CommandFact) {
        self.schema.takes_command(fact);
        let said = read(body);
        let command = &fact.command;
        assert_eq!(said["repository"]["id"], json!(command.repository_id), "{said}");
        if command.comment.is_some() {
            assert_eq!(said["issue"]["number"], json!(command.pull), "{said}");
            assert_eq!(said["comment"]["user"]["login"], json!(command.actor), "{said}");
        } else {
            let source = |environment: &PreviewEnvironment| environment.spec.sources[0].clone();
            let shown = self.environments.iter().find(|environment| environment.name_any() == fact.environment.to_string()).map(source);
            let shown = shown.map(|source| (source.pull, json!(source.revision)));
            assert_eq!(shown, Some((Some(command.pull), said["check_suite"]["head_sha"].clone())), "{said}");
            assert_eq!((command.verb, &said["sender"]["login"]), (Verb::Update, &json!(command.actor)), "{said}");
        }
        assert!(self.numbers.values().any(|id| *id == command.repository_id), "a repository that nobody lists: {command:?}");
    }
}

/// Every repository is listed, and everything of it gets an environment.
fn everything(numbers: &BTreeMap<String, i64>) -> Value {
    let listed: Vec<Value> = numbers.keys().enumerate().map(|(i, name)| json!({"name": name, "alias": format!("r{i}x")})).collect();
    json!({"repositories": listed, "trigger": {"branches": ["**"], "drafts": true, "bots": true}})
}

fn environment(fact: &Fact) -> PreviewEnvironment {
    let spec = json!({"baseline": fact.baseline, "sources": [fact.source]});
    let mut object = PreviewEnvironment::new(fact.environment.as_str(), serde_json::from_value(spec).unwrap());
    (object.metadata.namespace, object.metadata.uid) = (Some(fact.baseline_namespace.clone()), Some(format!("uid-{}", fact.environment)));
    object
}

/// Bytes that are no text are passed over where nobody reads them.
fn read(body: &[u8]) -> Value {
    serde_json::from_str(&String::from_utf8_lossy(body)).unwrap()
}

/// The numbers of the repositories that a delivery names as its own.
fn ids(said: &Value) -> BTreeSet<i64> {
    let of = |value: &Value| value["id"].as_i64();
    let lists = ["repositories", "repositories_removed"].map(|list| said[list].as_array().cloned().unwrap_or_default());
    let own = [&said["repository"], &said["pull_request"]["base"]["repo"]];
    own.into_iter().filter_map(of).chain(lists.iter().flatten().filter_map(of)).collect()
}

/// How many were refused, how many taken, and how many were recorded as something.
type Counts = [usize; 3];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_almost_a_delivery_of_githubs_ends_in_4xx_or_202_and_writes_nothing_but_what_it_says_of_its_own_repository() {
    let tasks: Vec<_> = (0..TASKS).map(|task| tokio::spawn(send_many(u64::try_from(task).unwrap()))).collect();
    let mut counts = Counts::default();
    for task in tasks {
        // A panic in the endpoint ends the task.
        let ended = task.await.unwrap();
        counts = std::array::from_fn(|at| counts[at] + ended[at]);
    }
    assert_eq!(counts[0] + counts[1], COUNT);
    assert!(counts.iter().all(|count| *count > COUNT / 20), "each end is seen: {counts:?}");
}

async fn send_many(seed: u64) -> Counts {
    let scene = Scene::new().await;
    let world = scene.world();
    let examples: Vec<(String, Value)> = examples().into_iter().map(|e| (e.event, lean(&e.payload))).collect();
    let mut chance = Chance((seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let (mut refused, mut taken, mut recorded) = (0, 0, 0);
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
        let (status, answer) = world.deliver(event, body.clone()).await;
        let (facts, commands) = world.notebook.take();
        match status {
            400..=499 => refused += 1,
            202 | 200 => taken += 1,
            other => panic!("{other} {answer}"),
        }
        assert!(status == 202 || facts.is_empty() && commands.is_empty(), "{status} {answer}");
        recorded += usize::from(!facts.is_empty() || !commands.is_empty());
        for fact in &facts {
            scene.judge(&body, fact);
        }
        for fact in &commands {
            scene.judge_command(&body, fact);
        }
    }
    [refused, taken, recorded]
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
