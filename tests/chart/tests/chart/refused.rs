//! Values that cannot be meant are refused before anything is made, and the refusal names the field.

use anyhow::Result;

use crate::helm::{Helm, chart};

#[test]
fn what_is_misspelt_or_cannot_be_meant_is_refused_with_its_field() -> Result<()> {
    let helm = Helm::new()?;
    let chart = chart();
    for (set, named) in [
        ("replica=3", "replica"),
        ("github.appID=1", "appID"),
        ("image.tga=1", "tga"),
        ("webhook.ingress.enable=true", "enable"),
        ("metrics.serviceMonitor.enbled=true", "enbled"),
        ("policy.domain=x.example.com", "domain"),
        ("policy.trust.fork=Deny", "fork"),
        ("policy.trust.forks=Always", "/policy/trust/forks"),
        ("networkPolicy.ingress=x", "ingress"),
        ("baselines[0].namespace=shop,baselines[0].secret=db", "secret"),
        ("otel.OTLP_ENDPOINT=http://x", "OTLP_ENDPOINT"),
        ("replicas=0", "/replicas"),
        ("poll=often", "/poll"),
        ("lookEvery=5", "/lookEvery"),
        ("runAsUser=0", "/runAsUser"),
        ("image.repository=registry.example.com/preview:1", "/image/repository"),
        ("github.limits=some", "/github/limits"),
        ("domain=*.preview.example.com", "/domain"),
        ("registry.allowPrivate[0]=10.0.0.1", "/registry/allowPrivate/0"),
        ("webhook.ingress.enabled=true", "/webhook/host"),
        ("webhook.host=hooks.example.com,webhook.httpRoute.enabled=true", "/webhook/httpRoute/parentRefs"),
        // Not by the schema: without values there is no image to run.
        ("image.repository=", "image.repository: say where you pushed the image"),
    ] {
        let image = "image.repository=registry.example.com/preview";
        let refusal = helm.run(&["template", "preview-env", &chart, "--set", image, "--set", set])?.expect_err(set);
        assert!(refusal.contains(named), "{set}: {refusal}");
    }
    Ok(())
}
