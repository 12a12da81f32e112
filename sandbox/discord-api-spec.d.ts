/** The package ships its zod schemas without types. Only the ones that the sandbox checks with are named here. */
declare module "discord-api-spec/zod" {
  interface SpecIssue {
    code: string;
    path: PropertyKey[];
    message: string;
    origin?: string;
    minimum?: number | bigint;
    maximum?: number | bigint;
    expected?: string;
    errors?: SpecIssue[][];
  }
  interface SpecSchema {
    safeParse(value: unknown): { success: true; data: unknown } | { success: false; error: { issues: SpecIssue[] } };
  }

  export const ApplicationCommandAutocompleteCallbackRequestSchema: SpecSchema;
  export const ApplicationCommandResponseSchema: SpecSchema;
  export const ApplicationCommandUpdateRequestSchema: SpecSchema;
  export const ApplicationFormPartialSchema: SpecSchema;
  export const CreateMessageInteractionCallbackRequestSchema: SpecSchema;
  export const CreatePrivateChannelRequestSchema: SpecSchema;
  export const GuildChannelResponseSchema: SpecSchema;
  export const GuildRoleResponseSchema: SpecSchema;
  export const GuildWithCountsResponseSchema: SpecSchema;
  export const IncomingWebhookRequestPartialSchema: SpecSchema;
  export const IncomingWebhookUpdateRequestPartialSchema: SpecSchema;
  export const InteractionCallbackResponseSchema: SpecSchema;
  export const MessageAttachmentResponseSchema: SpecSchema;
  export const MessageCreateRequestSchema: SpecSchema;
  export const MessageEditRequestPartialSchema: SpecSchema;
  export const MessageResponseSchema: SpecSchema;
  export const ModalInteractionCallbackRequestSchema: SpecSchema;
  export const PongInteractionCallbackRequestSchema: SpecSchema;
  export const PrivateApplicationResponseSchema: SpecSchema;
  export const PrivateChannelResponseSchema: SpecSchema;
  export const UpdateMessageInteractionCallbackRequestSchema: SpecSchema;
  export const UserResponseSchema: SpecSchema;
}
