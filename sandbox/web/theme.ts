import { DiscordActionRow } from "@skyra/discord-components-core/discord-action-row.js";
import { DiscordButton } from "@skyra/discord-components-core/discord-button.js";
import { DiscordCommand } from "@skyra/discord-components-core/discord-command.js";
import { DiscordEmbed } from "@skyra/discord-components-core/discord-embed.js";
import { DiscordMessage } from "@skyra/discord-components-core/discord-message.js";

const FONT = `font-family: "gg sans", "Noto Sans", "Open Sans", "Helvetica Neue", Helvetica, Arial, sans-serif;`;

/** The components draw Discord's theme of 2021; these are the shades and sizes of the later dark theme. */
const SHEETS: [{ elementStyles: unknown[] }, string][] = [
  [
    DiscordMessage,
    `:host { ${FONT} color: #dbdee1; padding-left: 16px; padding-right: 16px; }
     :host(:hover) { background-color: rgb(0 0 0 / 8%); }
     :host([ephemeral]) { padding-right: 16px; background-color: rgb(88 101 242 / 5%); }
     .discord-message-content { line-height: 1.375rem; min-width: 0; padding-top: 0; }
     .discord-author-avatar { margin-top: 2px; }
     .discord-message-timestamp { color: #949ba4; margin-left: 4px; }
     .discord-message-body-only-indent { flex: none; margin-left: 0; font-size: 0; }
     .discord-message-ephemeral { color: #949ba4; }
     .discord-message-ephemeral .discord-message-ephemeral-link { color: #00a8fc; }`,
  ],
  [
    DiscordEmbed,
    `:host { color: #dbdee1; margin: 4px 0 2px; font-size: 14px; }
     :host .discord-embed-wrapper { background-color: #2b2d31; border: 0; max-width: 516px; min-width: 300px; justify-self: stretch; }
     :host(.wide) .discord-embed-root { flex: 0 1 516px; }
     :host .discord-embed-wrapper .discord-embed-grid { display: grid; padding: 4px 16px 14px 12px; }
     :host .discord-left-border { background-color: #1e1f22; }`,
  ],
  [
    DiscordButton,
    `:host > *:first-child { ${FONT} margin: 6px 8px 2px 0; height: 32px; padding: 0 16px; box-sizing: border-box; line-height: 18px; }
     :host > *:first-child:focus-visible { outline: 2px solid #00a8fc; outline-offset: 2px; }
     .secondary { background-color: #4e5058; } .secondary.hoverable:hover { background-color: #6d6f78; }
     .success { background-color: #248046; } .success.hoverable:hover { background-color: #1a6334; }
     .destructive { background-color: #da373c; } .destructive.hoverable:hover { background-color: #a12828; }`,
  ],
  [DiscordActionRow, `:host { gap: 0; align-items: center; }`],
  [
    DiscordCommand,
    `:host { ${FONT} color: #b5bac1; margin-bottom: 2px; }
     :host:before { border-color: #4e5058 !important; }
     .discord-replied-message-username { opacity: 1; }`,
  ],
];

/** Must run before the first component is made. */
export function applyTheme(): void {
  for (const [component, css] of SHEETS) {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(css);
    component.elementStyles.push(sheet);
  }
}
