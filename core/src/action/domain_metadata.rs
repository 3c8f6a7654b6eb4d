use super::wire::wire_struct;

wire_struct! {
    /// `domainMetadata`: a named piece of configuration (protocol section "Domain Metadata").
    DomainMetadata as "domainMetadata" {
        /// The name; `delta.` is reserved.
        required domain: String = "domain",
        /// Text that its owner understands.
        required configuration: String = "configuration",
        /// True when the domain ends with this action.
        required removed: bool = "removed",
    }
}
