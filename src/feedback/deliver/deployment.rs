//! The deployments of an environment: one for each commit, and none at the end.

use super::{Delivery, Step, within};
use crate::api::status::{DeploymentStatus, Surface};
use crate::feedback::begun;
use crate::feedback::deployment::{Deploying, INACTIVE, KEPT, of_commit, said};
use crate::feedback::end::forget;
use crate::forge::{DeploymentState, DeploymentUpdate, Deployments, ForgeError, NewDeployment};

impl Delivery<'_> {
    pub(super) async fn bring_deployments(&mut self, index: usize) -> Step {
        let Some(deployments) = self.forge.deployments() else { return Err(ForgeError::Unsupported("deployments")) };
        let Some(part) = self.show.parts.get(index) else { return Ok(()) };
        match &part.deploying {
            Deploying::Keep => Ok(()),
            Deploying::End { unrecorded, end } => {
                self.take_up_begun(deployments, index, None).await?;
                if let Some(end) = end.as_ref().filter(|end| !end.is_sought(&self.feedbacks[index], Surface::Deployment)) {
                    self.find_unrecorded(deployments, index, unrecorded).await?;
                    end.sought(&mut self.feedbacks[index], Surface::Deployment);
                }
                self.remove_all_but(deployments, index, 0).await
            }
            Deploying::Show { new, update, opens } => {
                forget(&mut self.feedbacks[index], Surface::Deployment);
                self.take_up_begun(deployments, index, Some(&new.revision)).await?;
                self.make(deployments, index, new, *opens).await?;
                self.say(deployments, index, new, update).await?;
                if update.state == DeploymentState::Success {
                    self.put_older_down(deployments, index).await?;
                    self.remove_all_but(deployments, index, KEPT).await?;
                }
                Ok(())
            }
        }
    }

    /// Takes up those that nobody recorded, so that they end as all others do. Only what is like one that we would make is ours.
    async fn find_unrecorded(&mut self, deployments: &dyn Deployments, index: usize, unrecorded: &[NewDeployment]) -> Step {
        let repository = self.repository()?;
        for new in unrecorded {
            if self.feedbacks[index].deployments.iter().any(|known| known.revision == new.revision) {
                continue;
            }
            let listed = within("list the deployments", deployments.list(repository, new)).await?;
            let found = listed.into_iter().rev().map(|id| DeploymentStatus { id, revision: new.revision.clone(), digest: None });
            self.feedbacks[index].deployments.extend(found);
        }
        Ok(())
    }

    /// Takes up those of other commits that were begun and not recorded, before all that were.
    async fn take_up_begun(&mut self, deployments: &dyn Deployments, index: usize, head: Option<&str>) -> Step {
        let repository = self.repository()?;
        let Some(part) = self.show.parts.get(index) else { return Ok(()) };
        let begun: Vec<String> =
            begun::others(&self.feedbacks[index], Surface::Deployment, head).map(|begun| begun.revision.clone()).collect();
        for revision in begun {
            let new = of_commit(&part.deployed_to, self.group.key.number, &revision);
            let listed = within("list the deployments", deployments.list(repository, &new)).await?;
            let feedback = &mut self.feedbacks[index];
            for id in listed.into_iter().filter(|id| feedback.deployments.iter().all(|known| known.id != *id)).collect::<Vec<_>>() {
                feedback.deployments.insert(0, DeploymentStatus { id, revision: revision.clone(), digest: None });
            }
            begun::settle(feedback, Surface::Deployment, &revision);
        }
        Ok(())
    }

    /// Sees to it that the newest record is of the commit at the head. Always looks before it makes one: the answer to an
    /// earlier try may have been lost.
    async fn make(&mut self, deployments: &dyn Deployments, index: usize, new: &NewDeployment, opens: bool) -> Step {
        let is_there = self.feedbacks[index].deployments.last().is_some_and(|last| last.revision == new.revision);
        if is_there || !opens {
            return Ok(());
        }
        let repository = self.repository()?;
        let listed = within("list the deployments", deployments.list(repository, new)).await?;
        let ours: Vec<i64> = self.feedbacks.iter().flat_map(|feedback| &feedback.deployments).map(|d| d.id).collect();
        let id = match listed.into_iter().find(|id| !ours.contains(id)) {
            Some(id) => id,
            None => self.settled(
                Surface::Deployment,
                (index, &new.revision),
                within("make the deployment", deployments.create(repository, new)).await,
            )?,
        };
        let made = DeploymentStatus { id, revision: new.revision.clone(), digest: None };
        self.feedbacks[index].deployments.push(made);
        begun::settle(&mut self.feedbacks[index], Surface::Deployment, &new.revision);
        Ok(())
    }

    /// Tells the newest how it is. One that somebody deleted is forgotten, and made anew the next time.
    async fn say(&mut self, deployments: &dyn Deployments, index: usize, new: &NewDeployment, update: &DeploymentUpdate) -> Step {
        let repository = self.repository()?;
        let Some(last) = self.feedbacks[index].deployments.last_mut().filter(|last| last.revision == new.revision) else { return Ok(()) };
        if last.digest.as_deref() == Some(&said(update)) {
            return Ok(());
        }
        let id = last.id;
        match within("tell the deployment's state", deployments.set_state(repository, id, update)).await {
            Ok(()) => last.digest = Some(said(update)),
            Err(error @ ForgeError::NotFound(_)) => {
                self.feedbacks[index].deployments.pop();
                return Err(ForgeError::Unavailable { what: "tell the deployment's state".to_owned(), why: error.to_string() });
            }
            Err(error) => {
                // It may have been told all the same.
                last.digest = last.digest.take().filter(|_| error.wait().is_some());
                return Err(error);
            }
        }
        Ok(())
    }

    /// What another commit has taken the place of is inactive. The forge does that by itself only for a whole environment,
    /// which all pull requests share.
    async fn put_older_down(&mut self, deployments: &dyn Deployments, index: usize) -> Step {
        let older = self.feedbacks[index].deployments.len().saturating_sub(1);
        for place in 0..older {
            self.put_down(deployments, index, place).await?;
        }
        Ok(())
    }

    async fn put_down(&mut self, deployments: &dyn Deployments, index: usize, place: usize) -> Step {
        let repository = self.repository()?;
        let Some(record) = self.feedbacks[index].deployments.get(place) else { return Ok(()) };
        if record.digest.as_deref() == Some(INACTIVE) {
            return Ok(());
        }
        let update = DeploymentUpdate { state: DeploymentState::Inactive, description: String::new(), url: None };
        match within("put the deployment down", deployments.set_state(repository, record.id, &update)).await {
            Ok(()) => {}
            Err(ForgeError::NotFound(_)) => self.still_home().await?,
            Err(error) => return Err(error),
        }
        self.feedbacks[index].deployments[place].digest = Some(INACTIVE.to_owned());
        Ok(())
    }

    /// Deletes the oldest. The forge deletes only what is inactive.
    async fn remove_all_but(&mut self, deployments: &dyn Deployments, index: usize, kept: usize) -> Step {
        let repository = self.repository()?;
        while self.feedbacks[index].deployments.len() > kept {
            self.put_down(deployments, index, 0).await?;
            let Some(id) = self.feedbacks[index].deployments.first().map(|oldest| oldest.id) else { return Ok(()) };
            match within("delete the deployment", deployments.delete(repository, id)).await {
                Ok(()) => {}
                Err(ForgeError::NotFound(_)) => self.still_home().await?,
                Err(error) => return Err(error),
            }
            self.feedbacks[index].deployments.remove(0);
        }
        Ok(())
    }
}
