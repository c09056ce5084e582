//! What stands before a story begins: accounts, tokens, repositories, webhooks.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::{
    ContentType, Model, Permission, REQUESTS_PER_HOUR, RateLimit, Records, Refusal, Repository, Token, User, UserKind, Webhook,
    whole_seconds,
};

impl Model {
    /// Makes an account, or returns the one that has the login.
    pub(crate) fn add_user(&mut self, login: &str, kind: UserKind) -> u64 {
        if let Ok(user) = self.user(login) {
            return user.id;
        }
        let id = self.next_id();
        self.users.insert(id, User { id, login: login.to_owned(), kind });
        id
    }

    /// Makes a token with the scope `repo`.
    pub(crate) fn add_token(&mut self, login: &str, secret: &str) -> Result<(), Refusal> {
        let user = self.user(login)?.id;
        self.tokens.push(Token {
            secret: secret.to_owned(),
            user,
            scopes: vec!["repo".to_owned()],
            revoked: false,
            grant: None,
            rate: RateLimit::new(REQUESTS_PER_HOUR),
        });
        Ok(())
    }

    pub(crate) fn token_mut(&mut self, secret: &str) -> Result<&mut Token, Refusal> {
        let mut tokens = self.tokens.iter_mut();
        let found = tokens.find(|token| token.secret == secret);
        found.ok_or(Refusal::State { what: "find the token", why: "nobody has it".to_owned() })
    }

    /// Makes a repository with one branch, `main`. The owner becomes an organisation if new.
    pub(crate) fn add_repository(&mut self, full_name: &str, private: bool, now: DateTime<Utc>) -> Result<u64, Refusal> {
        let (owner, _) = split(full_name)?;
        if self.repository(full_name).is_ok() {
            return Err(Refusal::State { what: "make the repository", why: format!("{full_name} exists") });
        }
        let owner = self.add_user(owner, UserKind::Organization);
        let id = self.next_id();
        let main = self.next_sha();
        let at = whole_seconds(now);
        let repository = Repository {
            id,
            owner,
            full_name: full_name.to_owned(),
            private,
            fork_of: None,
            default_branch: "main".to_owned(),
            branches: BTreeMap::from([("main".to_owned(), main)]),
            collaborators: BTreeMap::from([(owner, Permission::Admin)]),
            pulls: BTreeMap::new(),
            comments: BTreeMap::new(),
            records: Records::default(),
            gone: BTreeSet::new(),
            created_at: at,
            pushed_at: at,
        };
        self.repositories.insert(id, repository);
        Ok(id)
    }

    /// Forks a repository into an account, branches and all, and returns the fork's name.
    pub(crate) fn fork(&mut self, full_name: &str, login: &str, now: DateTime<Utc>) -> Result<String, Refusal> {
        let parent = self.repository(full_name)?.clone();
        let owner = self.user(login)?.clone();
        let name = format!("{}/{}", owner.login, parent.name());
        let id = self.add_repository(&name, parent.private, now)?;
        if let Some(fork) = self.repositories.get_mut(&id) {
            fork.fork_of = Some(parent.id);
            fork.branches = parent.branches;
            fork.default_branch = parent.default_branch;
        }
        Ok(name)
    }

    /// Gives an account a permission on a repository.
    pub(crate) fn permit(&mut self, full_name: &str, login: &str, permission: Permission) -> Result<(), Refusal> {
        let user = self.user(login)?.id;
        self.repository_mut(full_name)?.collaborators.insert(user, permission);
        Ok(())
    }

    /// Configures a webhook and returns its id.
    pub(crate) fn add_webhook(&mut self, mut webhook: Webhook) -> u64 {
        webhook.id = self.next_id();
        let id = webhook.id;
        self.webhooks.push(webhook);
        id
    }

    pub(crate) fn webhook(&self, id: u64) -> Result<&Webhook, Refusal> {
        let found = self.webhooks.iter().find(|webhook| webhook.id == id);
        found.ok_or(Refusal::NoWebhook(id))
    }

    pub(crate) fn webhook_mut(&mut self, id: u64) -> Result<&mut Webhook, Refusal> {
        let mut all = self.webhooks.iter_mut();
        all.find(|webhook| webhook.id == id).ok_or(Refusal::NoWebhook(id))
    }

    /// Gives a repository another name; its id stays.
    pub(crate) fn rename(&mut self, full_name: &str, to: &str) -> Result<(), Refusal> {
        let (owner, _) = split(to)?;
        let owner = self.user(owner)?.id;
        if self.repository(to).is_ok() {
            return Err(Refusal::State { what: "rename the repository", why: format!("{to} exists") });
        }
        let repository = self.repository_mut(full_name)?;
        repository.owner = owner;
        let old = std::mem::replace(&mut repository.full_name, to.to_owned());
        let id = repository.id;
        self.former_names.push((old, id));
        Ok(())
    }
}

impl Webhook {
    /// A webhook of one repository or, with none, of all, for `pull_request` events in JSON.
    pub(crate) fn new(url: &str, secret: Option<&str>, repository: Option<u64>) -> Self {
        Self {
            id: 0,
            url: url.to_owned(),
            secret: secret.map(str::to_owned),
            content_type: ContentType::Json,
            events: vec!["pull_request".to_owned()],
            repository,
            app: None,
        }
    }
}

fn split(full_name: &str) -> Result<(&str, &str), Refusal> {
    let wrong = || Refusal::State { what: "name the repository", why: format!("{full_name} is not owner/name") };
    full_name.split_once('/').ok_or_else(wrong)
}
