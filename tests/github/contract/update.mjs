// Writes the excerpts of GitHub's published contract that the double is held to.
//
//   node update.mjs FOLDER           FOLDER holds node_modules/@octokit/{openapi,webhooks-examples,webhooks-schemas}
//   node update.mjs FOLDER --check   compares instead of writing, and exits 1 when they differ
//   node update.mjs --check          only compares the committed files with the sums in versions.json
//
// The output depends on the packages alone: no time, no order of the file system.
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const HERE = dirname(fileURLToPath(import.meta.url));
const PACKAGES = ['openapi', 'webhooks-examples', 'webhooks-schemas'];

const REPOSITORY = '/repos/{owner}/{repo}';
const OPERATIONS = [
  ['/user', ['get']],
  ['/rate_limit', ['get']],
  [REPOSITORY, ['get']],
  [`${REPOSITORY}/pulls`, ['get']],
  [`${REPOSITORY}/pulls/{pull_number}`, ['get']],
  [`${REPOSITORY}/pulls/{pull_number}/files`, ['get']],
  [`${REPOSITORY}/branches`, ['get']],
  [`${REPOSITORY}/branches/{branch}`, ['get']],
  [`${REPOSITORY}/git/ref/{ref}`, ['get']],
  [`${REPOSITORY}/issues/{issue_number}/comments`, ['get', 'post']],
  [`${REPOSITORY}/issues/comments`, ['get']],
  [`${REPOSITORY}/issues/comments/{comment_id}`, ['get', 'patch', 'delete']],
  [`${REPOSITORY}/issues/comments/{comment_id}/reactions`, ['get', 'post']],
  [`${REPOSITORY}/issues/comments/{comment_id}/reactions/{reaction_id}`, ['delete']],
  [`${REPOSITORY}/issues/{issue_number}/events`, ['get']],
  [`${REPOSITORY}/collaborators/{username}/permission`, ['get']],
  [`${REPOSITORY}/deployments`, ['get', 'post']],
  [`${REPOSITORY}/deployments/{deployment_id}`, ['get', 'delete']],
  [`${REPOSITORY}/deployments/{deployment_id}/statuses`, ['get', 'post']],
  [`${REPOSITORY}/check-runs`, ['post']],
  [`${REPOSITORY}/check-runs/{check_run_id}`, ['get', 'patch']],
  [`${REPOSITORY}/commits/{ref}/check-runs`, ['get']],
  [`${REPOSITORY}/commits/{ref}/statuses`, ['get']],
  [`${REPOSITORY}/commits/{ref}/status`, ['get']],
  [`${REPOSITORY}/statuses/{sha}`, ['post']],
  [`${REPOSITORY}/installation`, ['get']],
  ['/app', ['get']],
  ['/app/installations', ['get']],
  ['/app/installations/{installation_id}', ['get']],
  ['/app/installations/{installation_id}/access_tokens', ['post']],
  ['/app/hook/deliveries', ['get']],
  ['/app/hook/deliveries/{delivery_id}', ['get']],
  ['/app/hook/deliveries/{delivery_id}/attempts', ['post']],
  ['/installation/repositories', ['get']],
];

const EVENTS = {
  ping: [null],
  pull_request: [
    'opened', 'reopened', 'synchronize', 'closed', 'edited',
    'ready_for_review', 'converted_to_draft', 'labeled', 'unlabeled',
  ],
  issue_comment: ['created', 'edited', 'deleted'],
  push: [null],
  repository: ['created', 'deleted', 'renamed', 'transferred', 'privatized', 'publicized'],
  check_run: ['created', 'completed', 'rerequested', 'requested_action'],
  check_suite: ['rerequested'],
  installation: ['created', 'deleted', 'suspend', 'unsuspend'],
  installation_repositories: ['added', 'removed'],
};

// Prose and pointers to prose. We keep what a program can check.
const PROSE = new Set([
  'description', 'summary', 'title', 'example', 'examples', 'externalDocs', 'tags', 'x-github',
  'x-github-breaking-changes', 'x-multi-segment', 'deprecated', 'tsAdditionalProperties',
]);
// Below these keys, names are names of properties, not keywords.
const NAMED = new Set(['properties', 'schemas', 'parameters', 'responses', 'headers', 'paths', 'definitions']);
// Below these keys, values are data.
const DATA = new Set(['enum', 'const', 'default', 'required']);

function strip(value, names = false) {
  if (Array.isArray(value)) return value.map((item) => strip(item));
  if (value === null || typeof value !== 'object') return value;
  const kept = Object.entries(value).filter(([key]) => names || !PROSE.has(key));
  return Object.fromEntries(kept.map(([key, item]) => [key, stripEntry(key, item, names)]));
}

function stripEntry(key, item, names) {
  if (!names && DATA.has(key)) return item;
  return strip(item, !names && NAMED.has(key) && !Array.isArray(item));
}

// Calls `visit` with each local reference below `value`.
function references(value, visit) {
  if (value === null || typeof value !== 'object') return;
  if (typeof value.$ref === 'string') visit(value.$ref);
  for (const item of Object.values(value)) references(item, visit);
}

// What `roots` refer to, directly or through others, as a map from reference to stripped value.
function closure(document, roots) {
  const found = new Map();
  const visit = (ref) => {
    if (found.has(ref)) return;
    const target = ref.slice(2).split('/').reduce((node, key) => node[key], document);
    const value = strip(target);
    found.set(ref, value);
    references(value, visit);
  };
  references(roots, visit);
  return [...found].sort(([a], [b]) => (a < b ? -1 : 1));
}

function openapi(document) {
  const paths = {};
  for (const [path, methods] of OPERATIONS) {
    paths[path] = Object.fromEntries(methods.map((method) => [method, strip(document.paths[path][method])]));
    for (const operation of Object.values(paths[path])) delete operation.operationId;
  }
  const components = {};
  for (const [ref, value] of closure(document, paths)) {
    const [, , kind, name] = ref.split('/');
    (components[kind] ??= {})[name] = value;
  }
  return { openapi: document.openapi, paths, components };
}

function payloadSchema(document) {
  const roots = Object.entries(EVENTS).flatMap(([event, actions]) =>
    actions.map((action) => ({ $ref: `#/definitions/${event}$${action ?? 'event'}` })),
  );
  const definitions = Object.fromEntries(closure(document, roots).map(([ref, value]) => [ref.split('/')[2], value]));
  for (const definition of Object.values(definitions)) delete definition.$schema;
  return { $schema: document.$schema, definitions };
}

// Of the examples for an action, the fullest one of a plain repository webhook: the shorter ones are older
// and lack fields that the schema by now requires.
function example(examples, event, action) {
  const ofEvent = examples.find(({ name }) => name === event).examples;
  const acted = ofEvent.filter((payload) => payload.action === (action ?? undefined));
  // Events of an installation carry no repository; of the others, an example without one is of an organisation's webhook.
  const fitting = acted.some((payload) => payload.repository) ? acted.filter((payload) => payload.repository) : acted;
  const plain = fitting.filter((payload) => !payload.organization);
  const candidates = plain.length > 0 ? plain : fitting;
  const length = (payload) => JSON.stringify(payload).length;
  return candidates.sort((a, b) => length(b) - length(a))[0];
}

function payloads(examples) {
  const chosen = {};
  for (const [event, actions] of Object.entries(EVENTS)) {
    const pairs = actions.map((action) => [action ?? event, example(examples, event, action)]);
    chosen[event] = Object.fromEntries(pairs.filter(([, payload]) => payload));
  }
  const { examples: pulls } = examples.find(({ name }) => name === 'pull_request');
  const { organization } = pulls.find((payload) => payload.organization);
  return { ...chosen, organization };
}

function generate(folder) {
  const root = join(folder, 'node_modules', '@octokit');
  const read = (path) => JSON.parse(readFileSync(join(root, path), 'utf8'));
  const files = {
    'openapi.json': openapi(read('openapi/generated/api.github.com.json')),
    'payload-schema.json': payloadSchema(read('webhooks-schemas/schema.json')),
    'payloads.json': payloads(read('webhooks-examples/api.github.com/index.json')),
  };
  const texts = Object.fromEntries(Object.entries(files).map(([name, value]) => [name, `${JSON.stringify(value)}\n`]));
  const versions = PACKAGES.map((name) => [`@octokit/${name}`, read(`${name}/package.json`).version]);
  const sums = Object.entries(texts).map(([name, text]) => [name, sum(text)]);
  const about = { packages: Object.fromEntries(versions), sha256: Object.fromEntries(sums) };
  return { ...texts, 'versions.json': `${JSON.stringify(about, null, 2)}\n` };
}

function sum(text) {
  return createHash('sha256').update(text).digest('hex');
}

function committed(name) {
  return readFileSync(join(HERE, name), 'utf8');
}

function checkSums() {
  const { sha256 } = JSON.parse(committed('versions.json'));
  return Object.entries(sha256).filter(([name, expected]) => sum(committed(name)) !== expected).map(([name]) => name);
}

function checkAgainst(folder) {
  return Object.entries(generate(folder)).filter(([name, text]) => committed(name) !== text).map(([name]) => name);
}

function main(args) {
  const check = args.includes('--check');
  const folder = args.find((arg) => !arg.startsWith('--'));
  if (!folder && !check) throw new Error('cannot write: name the folder that holds node_modules');
  if (!check) {
    for (const [name, text] of Object.entries(generate(folder))) writeFileSync(join(HERE, name), text);
    return;
  }
  const differing = folder ? checkAgainst(folder) : checkSums();
  if (differing.length > 0) {
    console.error(`differs from what is published: ${differing.join(', ')}`);
    process.exitCode = 1;
  }
}

main(process.argv.slice(2));
