import 'tdesign-react/es/_util/react-19-adapter';
import 'tdesign-react/es/style/index.css';
import './styles/theme.css';
import './styles/layout.css';
import './styles/parts.css';
import './styles/pages.css';
import './styles/chart.css';
import './styles/messages.css';
import './styles/forwarding.css';
import './styles/merchants.css';
import './styles/operations.css';
import './styles/audits.css';
import './styles/admin.css';
import './styles/palette.css';
import './styles/wizard.css';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { App } from './App';
import { startTheme } from './components/theme';
import { startI18n } from './i18n';

startTheme();
const root = document.getElementById('root');

void startI18n().finally(() => {
  if (root) {
    createRoot(root).render(
      <StrictMode>
        <App />
      </StrictMode>,
    );
  }
});
