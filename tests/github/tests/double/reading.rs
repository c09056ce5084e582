//! Reading: pull requests, comments in pages, branches, permissions.

use github_double::{Open, on};

use crate::world::{BOT, TOKEN, client, double, permission, status_of};

#[tokio::test]
async fn more_than_a_hundred_comments_come_in_pages() -> anyhow::Result<()> {
    let double = double()?;
    for number in 0..205 {
        double.act(on("acme/web", 1, "dev").comment(&format!("Comment {number}")))?;
    }
    let client = client(&double, TOKEN)?;
    let first = client.issues("acme", "web").list_comments(1).per_page(100).send().await?;
    assert_eq!((first.items.len(), first.number_of_pages()), (100, Some(3)));
    let all = client.all_pages(first).await?;
    let bodies: Vec<_> = all.iter().filter_map(|comment| comment.body.clone()).collect();
    assert_eq!(bodies.len(), 205);
    assert_eq!((bodies[0].as_str(), bodies[204].as_str()), ("Comment 0", "Comment 204"));
    assert_eq!(double.contract_violations(), []);
    Ok(())
}

#[tokio::test]
async fn pull_requests_are_read_and_listed() -> anyhow::Result<()> {
    let double = double()?;
    let client = client(&double, TOKEN)?;
    let pulls = client.pulls("acme", "web");
    let pull = pulls.get(1).await?;
    assert_eq!(pull.head.sha, double.pull("acme/web", 1)?.head_sha);
    assert_eq!(pull.head.ref_field, "feature/login");
    assert_eq!(pull.base.repo.map(|repo| *repo.id), Some(double.repository("acme/web")?.id));
    double.act(Open::new("acme/web", "other", "dev"))?;
    double.act(on("acme/web", 2, "dev").close())?;
    let open = pulls.list().send().await?;
    assert_eq!(open.items.iter().map(|pull| pull.number).collect::<Vec<_>>(), [1]);
    let by_head = pulls.list().state(octocrab::params::State::All).head("acme:other").send().await?;
    assert_eq!(by_head.items.iter().map(|pull| pull.number).collect::<Vec<_>>(), [2]);
    assert_eq!(status_of(pulls.get(99).await), Some(404));
    assert_eq!(double.contract_violations(), []);
    Ok(())
}

#[tokio::test]
async fn branches_refs_and_permissions_are_read() -> anyhow::Result<()> {
    let double = double()?;
    let client = client(&double, TOKEN)?;
    let sha = double.pull("acme/web", 1)?.head_sha;
    let branch: serde_json::Value = client.get("/repos/acme/web/branches/feature%2Flogin", None::<&()>).await?;
    assert_eq!(branch["commit"]["sha"], sha);
    let reference = octocrab::params::repos::Reference::Branch("feature/login".to_owned());
    let found = client.repos("acme", "web").get_ref(&reference).await?;
    assert_eq!(found.ref_field, "refs/heads/feature/login");
    let held = permission(&client, "dev").await?;
    assert_eq!((held["permission"].as_str(), held["role_name"].as_str()), (Some("write"), Some("maintain")));
    assert_eq!(status_of(permission(&client, "dev%20er").await), Some(404));
    double.add_user("passer-by");
    assert_eq!(permission(&client, "passer-by").await?["permission"], "read");
    assert_eq!(double.contract_violations(), []);
    Ok(())
}

#[tokio::test]
async fn the_client_learns_who_it_is_and_what_it_may() -> anyhow::Result<()> {
    let double = double()?;
    let client = client(&double, TOKEN)?;
    assert_eq!(client.current().user().await?.login, BOT);
    let repository = client.repos("acme", "web").get().await?;
    assert_eq!(repository.permissions.map(|held| (held.push, held.admin)), Some((true, false)));
    let by_id: serde_json::Value = client.get(format!("/repositories/{}", repository.id), None::<&()>).await?;
    assert_eq!(by_id["full_name"], "acme/web");
    assert_eq!(client.ratelimit().get().await?.rate.limit, 5_000);
    assert_eq!(double.contract_violations(), []);
    Ok(())
}

#[tokio::test]
async fn an_old_name_leads_on_to_the_new_one() -> anyhow::Result<()> {
    let double = double()?;
    let client = client(&double, TOKEN)?;
    double.rename("acme/web", "acme/site")?;
    let pull = client.pulls("acme", "web").get(1).await?;
    assert_eq!(pull.base.repo.and_then(|repo| repo.full_name).as_deref(), Some("acme/site"));
    assert_eq!(double.requests().iter().map(|one| one.status).collect::<Vec<_>>(), [Some(301), Some(200)]);
    assert_eq!(double.contract_violations(), []);
    Ok(())
}
