"""The page's style sheet. Letters have a contrast of 4.5 and more on what they stand on (WCAG 2.1 AA)."""

from __future__ import annotations

STYLE = """
html { overflow: hidden; }
:root { --large: 1; }
@media (min-width: 2400px) { :root { --large: 1.5; } }
@media (min-width: 3400px) { :root { --large: 2; } }
.dsir-page { display: flex; height: 100vh; width: 100vw; background: #000; color: #e6eaef; font-size: 13px; }
.dsir-panel { zoom: var(--large); width: 276px; flex: none; height: calc(100vh / var(--large)); padding: 10px 12px;
  background: #1d2126; display: flex; flex-direction: column; gap: 6px; overflow-y: auto; }
.dsir-panel > * { flex: none; }
.dsir-main { flex: 1; min-width: 0; display: flex; flex-direction: column; }
.dsir-bar, .dsir-foot { zoom: var(--large); flex: none; display: flex; align-items: center; gap: 6px 10px;
  padding: 5px 10px; background: #1d2126; flex-wrap: wrap; }
.dsir-foot { min-height: 28px; padding: 3px 10px; justify-content: space-between; flex-wrap: nowrap; }
.dsir-where { font-variant-numeric: tabular-nums; color: #c3cad3; white-space: nowrap; }
.dsir-views { position: relative; flex: 1; min-height: 0; display: flex; }
.dsir-row { zoom: var(--large); position: absolute; left: 0; z-index: 3; pointer-events: none; background: #000c;
  color: #dfe4ea; font-size: 12px; padding: 2px 10px; border-radius: 0 0 6px 0; }
.dsir-legend { display: flex; align-items: center; gap: 10px; font-size: 11px; line-height: 1.15; }
.dsir-legend b { width: 108px; font-weight: 500; text-align: right; }
.dsir-legend > div { width: 128px; } .dsir-legend .dsir-ramp { height: 9px; margin: 0; }
.dsir-ramp { height: 10px; border-radius: 2px; margin: 3px 0 1px; }
.dsir-ends { display: flex; justify-content: space-between; font-size: 11px; color: #c3cad3; }
.dsir-help { zoom: var(--large); position: fixed; left: 50%; top: 50%; transform: translate(-50%, -50%); z-index: 5;
  background: #14181d; font-size: 13.5px; padding: 16px 22px; border-radius: 8px; border: 1px solid #5a6572; }
.dsir-help div { display: flex; gap: 12px; padding: 2px 0; }
.dsir-help b { width: 128px; }
.dsir-title { font-size: 15px; white-space: nowrap; font-weight: 500; flex: 1; margin: 0; }
.dsir-label { font-size: 11px; letter-spacing: .06em; text-transform: uppercase; color: #b4bcc7; margin: 4px 0 -2px;
  font-weight: 400; border-top: 1px solid #343b44; padding-top: 6px; }
.dsir-line { display: flex; gap: 6px; align-items: center; }
.dsir-field { flex: 1; min-width: 0; font-size: 11px; color: #b4bcc7; display: flex; flex-direction: column; gap: 1px; }
.dsir-panel > .dsir-field { flex: none; }
.dsir-field.inline { flex-direction: row; align-items: center; gap: 6px; flex: none; font-size: 12px; }
.dsir-page select, .dsir-page input[type=text] { font: inherit; font-size: 13px; color: #eef1f5; background: #12161a;
  border: 1px solid #77828f; border-radius: 4px; padding: 3px 5px; min-width: 0; width: 100%; }
.dsir-page select { appearance: auto; }
.dsir-page select:disabled { color: #8b95a1; border-color: #4a525c; }
.dsir-slide { display: flex; align-items: center; gap: 8px; font-size: 12px; color: #d5dae1; }
.dsir-slide span { width: 116px; flex: none; font-variant-numeric: tabular-nums; }
.dsir-page input[type=range] { flex: 1; min-width: 60px; accent-color: #4cc9f0; height: 16px; }
.dsir-bar .dsir-slide { flex: 1; min-width: 150px; max-width: 260px; } .dsir-bar .dsir-slide span { width: 84px; }
.dsir-check { display: flex; gap: 8px; align-items: center; font-size: 12.5px; cursor: pointer; }
.dsir-page input[type=checkbox] { accent-color: #4cc9f0; width: 15px; height: 15px; }
.dsir-button, .dsir-group button, .dsir-icon { font: inherit; font-size: 12.5px; color: #eef1f5; background: #343b44;
  border: 1px solid #4a525c; border-radius: 4px; padding: 4px 8px; cursor: pointer; flex: 1; white-space: nowrap; }
.dsir-button.first { background: #11577a; border-color: #2a86b3; }
.dsir-button:hover, .dsir-group button:hover, .dsir-icon:hover { background: #45505c; }
.dsir-button:disabled, .dsir-group button:disabled, .dsir-icon:disabled { color: #79838f; background: #262b31;
  border-color: #333a42; cursor: default; }
.dsir-icon { flex: none; padding: 2px 4px; background: none; border-color: transparent; }
.dsir-group { display: flex; }
.dsir-group button { border-radius: 0; margin-left: -1px; padding: 3px 7px; font-size: 12px; }
.dsir-group button:first-child { border-radius: 4px 0 0 4px; }
.dsir-group button:last-child { border-radius: 0 4px 4px 0; }
.dsir-group button[aria-pressed=true] { background: #11577a; border-color: #2a86b3; }
.dsir-pairs { flex: 1 1 66px !important; min-height: 58px; overflow-y: auto; background: #15191d; border-radius: 4px;
  padding: 2px; font-size: 12px; }
.dsir-pair { display: flex; align-items: center; gap: 4px; font-variant-numeric: tabular-nums; }
.dsir-pair input[type=text] { border-color: transparent; background: none; padding: 1px 4px; flex: 1; font-size: 12px; }
.dsir-pair input[type=text]:hover { border-color: #77828f; }
.dsir-none { color: #b4bcc7; padding: 4px 6px; }
.dsir-key { display: flex; justify-content: space-between; font-size: 12px; }
.dsir-verdict { padding: 2px 8px; background: #2a2f36; border-left: 4px solid; font-size: 12px; line-height: 1.35;
  max-height: 92px; overflow-y: auto; }
.dsir-progress { height: 6px; background: #343b44; border-radius: 3px; overflow: hidden; margin: 3px 0; }
.dsir-progress div { height: 100%; background: #4cc9f0; }
:focus-visible { outline: 2px solid #4cc9f0 !important; outline-offset: 1px; }
"""
