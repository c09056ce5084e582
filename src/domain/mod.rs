//! Values that are parsed once and cannot be wrong afterwards. No client, no clock, no logging.

pub mod baseline;
pub mod cidr;
pub mod environment;
pub mod image_ref;
pub mod instance;
pub mod lifetime;
pub mod names;
pub mod nearest;
pub mod path_glob;
pub mod policy;
pub mod quantity;
pub mod repo_name;
pub mod revision;
pub mod seed;
pub mod slug;
pub mod template;
pub mod value_template;

pub use baseline::{Baseline, InvalidBaseline};
pub use environment::{Environment, InvalidEnvironment};
pub use image_ref::ImageRef;
pub use instance::Instance;
pub use names::EnvironmentName;
pub use nearest::nearest;
pub use policy::Policy;
pub use repo_name::RepoName;
pub use revision::Revision;
pub use seed::Seed;
pub use slug::Slug;
pub use template::TagTemplate;
pub use value_template::ValueTemplate;
