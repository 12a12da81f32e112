import { DiscordActionRow } from "@skyra/discord-components-core/discord-action-row.js";
import { DiscordAuthorInfo } from "@skyra/discord-components-core/discord-author-info.js";
import { DiscordButton } from "@skyra/discord-components-core/discord-button.js";
import { DiscordCommand } from "@skyra/discord-components-core/discord-command.js";
import { DiscordEmbed } from "@skyra/discord-components-core/discord-embed.js";
import { DiscordMessage } from "@skyra/discord-components-core/discord-message.js";
import { DiscordVerifiedAuthorTag } from "@skyra/discord-components-core/discord-verified-author-tag.js";

/** The part of a component class that takes more styles for its inside. */
interface Styled {
  elementStyles: unknown[];
}

/** The components draw Discord as it was some years ago; these rules bring their insides to the colours and sizes of the page. */
const STYLES: readonly [Styled, string][] = [
  [
    DiscordMessage,
    `.discord-author-avatar { margin-top: 3px; }
     .discord-message-timestamp { color: var(--muted); margin-left: 4px; font-weight: 400; }
     .discord-message-edited { color: var(--muted); font-size: 0.625rem; }
     .discord-message-content { line-height: 1.375rem; padding-top: 0; min-width: 0; }
     .discord-message-body-only-indent { flex: none; width: 56px; font-size: 0.6875rem; margin-left: 0; text-align: center; }
     .discord-message-ephemeral { color: var(--muted); margin-top: 2px; }
     .discord-message-ephemeral .discord-message-ephemeral-link { color: var(--link); }
     .discord-message-markup { font-size: 1rem; line-height: 1.375rem; }`,
  ],
  [
    DiscordAuthorInfo,
    `:host .discord-author-username { font-weight: 600; } :host .discord-application-tag { text-transform: uppercase; font-weight: 600; }`,
  ],
  [DiscordVerifiedAuthorTag, `:host { line-height: 1; }`],
  [
    DiscordEmbed,
    `:host .discord-embed-wrapper { background: var(--embed); border: 0; max-width: 516px; border-radius: 0 4px 4px 0; }
     :host .discord-left-border { background-color: var(--rail); }
     :host .discord-embed-wrapper .discord-embed-grid { padding: 8px 16px 16px 12px; }`,
  ],
  [
    DiscordButton,
    `:host > *:first-child { box-sizing: border-box; font-family: inherit; height: 32px; margin: 0; padding: 2px 16px; border-radius: 4px; outline-offset: 2px; }
     .success { background: #248046; } .success.hoverable:hover { background: #1a6334; }
     .destructive { background: #da373c; } .destructive.hoverable:hover { background: #a12828; }
     .secondary { background: #4e5058; } .secondary.hoverable:hover { background: #6d6f78; }
     :host([data-pending]) button { color: transparent; position: relative; cursor: wait; }
     :host([data-pending]) button::after {
       content: ""; position: absolute; left: calc(50% - 14px); top: calc(50% - 3px); width: 6px; height: 6px; border-radius: 50%;
       background: #fff; box-shadow: 11px 0 #fff, 22px 0 #fff; animation: pending 1.2s infinite ease-in-out;
     }
     @keyframes pending { 50% { opacity: 0.35; } }`,
  ],
  [DiscordActionRow, `:host { gap: 8px; margin-top: 4px; }`],
  [
    DiscordCommand,
    `:host .discord-slash-command-name { background: transparent; color: var(--link) !important; padding: 0; }
     :host .discord-slash-command-name:hover { background: transparent; text-decoration: underline; }`,
  ],
];

/** Adds these rules to the components. To be called before the first of them is made. */
export function applyTheme(): void {
  for (const [component, css] of STYLES) {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(css);
    component.elementStyles.push(sheet);
  }
}
