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
/// Number of a repository that nobody lists.
const FORK: i64 = 424_242;
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

/// Everything that GitHub publishes, and each pull request once more as a fork's: in the examples all are the repository's own.
fn originals() -> Vec<(String, Value)> {
    let mut all: Vec<(String, Value)> = examples().into_iter().map(|example| (example.event, lean(&example.payload))).collect();
    let pulls = all.iter().filter(|(event, _)| event == "pull_request").cloned();
    let as_a_forks = |(event, mut payload): (String, Value)| {
        payload["pull_request"]["head"]["repo"]["id"] = json!(FORK);
        (event, payload)
    };
    let forks: Vec<_> = pulls.map(as_a_forks).collect();
    all.extend(forks);
    all
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

    /// Whether that is the environment of the repository of that number, and of that pull request, or of a branch.
    fn is_environment_of(&self, name: &str, repository: i64, pull: Option<i64>) -> bool {
        let aliases = self.numbers.values().enumerate().filter(|(_, id)| **id == repository).map(|(at, _)| alias(at));
        let mut names = aliases.map(|alias| pull.map_or_else(|| format!("{alias}-"), |number| format!("{alias}-pr-{number}")));
        names.any(|expected| name == expected || pull.is_none() && name.starts_with(&expected))
    }

    /// Stops where a fact is not what that delivery says of a repository that is listed, or is recorded for something else, or as
    /// what the API server would refuse.
    fn judge(&self, body: &[u8], original: &Value, fact: &Fact) {
        self.schema.takes(fact);
        let said = read(body);
        let (source, name) = (&fact.source, fact.environment.to_string());
        assert!(self.is_environment_of(&name, source.repository_id, source.pull), "{name} is of another subject: {source:?}");
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
            judge_trust(&said, original, source);
        } else {
            let branch = source.branch.as_ref().unwrap();
            assert_eq!(said["ref"], json!(format!("refs/heads/{branch}")));
            assert!([&said["after"], &said["before"]].contains(&&json!(source.revision)), "{said}");
        }
    }

    fn judge_command(&self, body: &[u8], fact: &CommandFact) {
        self.schema.takes_command(fact);
        let said = read(body);
        let (command, name) = (&fact.command, fact.environment.to_string());
        assert_eq!(said["repository"]["id"], json!(command.repository_id), "{said}");
        assert!(self.is_environment_of(&name, command.repository_id, Some(command.pull)), "{name} is of another subject: {command:?}");
        if command.comment.is_some() {
            assert_eq!(said["issue"]["number"], json!(command.pull), "{said}");
            assert_eq!(said["comment"]["user"]["login"], json!(command.actor), "{said}");
        } else {
            let source = |environment: &PreviewEnvironment| environment.spec.sources[0].clone();
            let shown = self.environments.iter().find(|environment| environment.name_any() == name).map(source);
            let shown = shown.map(|source| (source.pull, json!(source.revision)));
            assert_eq!(shown, Some((Some(command.pull), said["check_suite"]["head_sha"].clone())), "{said}");
            assert_eq!((command.verb, &said["sender"]["login"]), (Verb::Update, &json!(command.actor)), "{said}");
        }
        assert!(self.numbers.values().any(|id| *id == command.repository_id), "a repository that nobody lists: {command:?}");
    }
}

/// Stops where what decides on trust is not what the delivery says of it, or where a change made a fork's pull request one of the
/// repository itself.
fn judge_trust(said: &Value, original: &Value, source: &api::Source) {
    let pull = &said["pull_request"];
    // A list is taken for the fields of an object in their order.
    let first = |object: &Value, name: &str| object.get(name).or_else(|| object.get(0)).cloned().unwrap_or_default();
    let login = |user: &Value| first(user, "login").as_str().map(str::to_owned);
    assert_eq!(source.head_repository_id, first(&pull["head"]["repo"], "id").as_i64(), "{said}");
    assert_eq!(source.draft, pull["draft"].as_bool().unwrap_or_default(), "{said}");
    assert_eq!(source.sender, login(&said["sender"]), "{said}");
    assert_eq!(source.author, login(&pull["user"]).or_else(|| Some("ghost".to_owned())), "whose account is gone is a ghost: {said}");
    let labels = pull["labels"].as_array().map(Vec::as_slice).unwrap_or_default();
    assert!(source.labels.iter().all(|name| labels.iter().any(|label| first(label, "name") == json!(name))), "{said}");
    let is_own = |pull: &Value| pull["head"]["repo"]["id"] == pull["base"]["repo"]["id"];
    let is_held_as_own = source.head_repository_id == Some(source.repository_id);
    assert!(!is_held_as_own || is_own(&original["pull_request"]), "a fork's pull request counts as the repository's own: {said}");
}

/// Every repository is listed, and everything of it gets an environment.
fn everything(numbers: &BTreeMap<String, i64>) -> Value {
    let listed: Vec<Value> = numbers.keys().enumerate().map(|(i, name)| json!({"name": name, "alias": alias(i)})).collect();
    json!({"repositories": listed, "trigger": {"branches": ["**"], "drafts": true, "bots": true}})
}

/// Of the repository that is listed there.
fn alias(at: usize) -> String {
    format!("r{at}x")
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

/// None ends in a panic. What is still a valid delivery after the change is one, since whoever has the secret can sign anything; it
/// writes what it says itself, and nothing else: a fact of the environment that the number of its repository and its own pull request
/// or branch name, a command for that one in the name of who it says wrote it, or the end of what it says is gone. Who it says that sent
/// and wrote it, its labels and its head repository are held as it says them, and no change makes a fork's pull request the
/// repository's own. Whether all of that is so the forge is asked before anything runs (`src/lookup/confirm.rs`).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_almost_a_delivery_of_githubs_ends_in_4xx_or_202_and_writes_nothing_but_what_it_says_of_its_own_repository() {
    let tasks: Vec<_> = (0..TASKS).map(|task| tokio::spawn(send_many(u64::try_from(task).unwrap()))).collect();
    let mut counts = Counts::default();
    for task in tasks {
        // A panic in the endpoint ends the task.
        let ended = task.await.unwrap();
        counts = std::array::from_fn(|at| counts[at] + ended[at]);
    }
    println!("{} refused, {} taken, of which {} wrote something", counts[0], counts[1], counts[2]);
    assert_eq!(counts[0] + counts[1], COUNT);
    assert!(counts.iter().all(|count| *count > COUNT / 20), "each end is seen: {counts:?}");
}

async fn send_many(seed: u64) -> Counts {
    let scene = Scene::new().await;
    let world = scene.world();
    let originals = originals();
    let mut chance = Chance((seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let (mut refused, mut taken, mut recorded) = (0, 0, 0);
    for _ in 0..COUNT / TASKS {
        let (event, original) = &originals[chance.below(originals.len())];
        let mut payload = original.clone();
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
            scene.judge(&body, original, fact);
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
