//! Autoscalers that another object makes, as KEDA does: it makes them again where its own objects are cloned, and two
//! would fight.
//! <https://keda.sh/docs/latest/concepts/scaling-deployments/>

use super::{Facts, because};
use crate::plan::decision::LeftOutReason;
use crate::plan::kinds::is_kind;
use crate::plan::manifest::Manifest;
use crate::plan::select::controller;

pub(super) fn reason(object: &Manifest, _: &Facts<'_>) -> Option<LeftOutReason> {
    let owner = controller(object).filter(|_| is_kind(object, "autoscaling", "HorizontalPodAutoscaler"))?;
    because(format!("is made by {owner}"))
}

#[cfg(test)]
mod tests {
    use crate::api::baseline::Autoscalers;
    use crate::plan::sample::{World, autoscaler, controlled_by, deployment};

    #[test]
    fn what_keda_makes_is_not_copied() {
        let keda = controlled_by(autoscaler("keda", "web"), "keda.sh/v1alpha1", "ScaledObject/web");
        let world = World::of([deployment("web"), autoscaler("web", "web"), keda]);
        let cloned = world.baseline(|b| b.choices.autoscalers = Autoscalers::Clone).plan().said();
        assert_eq!(cloned[1..], ["HorizontalPodAutoscaler/keda left out: is made by ScaledObject/web", "HorizontalPodAutoscaler/web kept"]);
    }
}
